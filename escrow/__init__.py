"""What the system knows: rules, ledger and counterparties, without Temporal and without an HTTP server."""
