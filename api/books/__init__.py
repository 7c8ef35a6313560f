"""The books over HTTP: accounts with their lines, statements, events and the tree of sub-accounts."""
