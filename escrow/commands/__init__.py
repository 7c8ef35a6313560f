"""The verbs of the command line, one module a topic; `escrow.cli` puts them together."""
