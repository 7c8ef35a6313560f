"""Who takes part, and with what: platforms, members, their accounts, mandates and pages, kept beside the books."""
