"""Collections over HTTP: top-ups, direct and batch payments, mandates, and the codes that payers type."""
