"""The double-entry ledger on PostgreSQL."""
