"""What only a sandbox stack can do: let time pass."""
