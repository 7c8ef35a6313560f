"""Transfers over HTTP: payments from member to member, and suspense money assigned or given back."""
