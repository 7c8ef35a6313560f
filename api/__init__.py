"""How others speak to us: a thin HTTP API that starts, updates and queries, and decides nothing."""
