"""Members: their states, identity, accounts and how these are verified."""
