"""The servers and processes of one machine: who starts them, waits for them, restarts them and ends them."""
