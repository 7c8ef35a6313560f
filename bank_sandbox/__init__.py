"""A bank that is a stranger to the rest of this repository: own process, own books, own clock, own wire protocol."""
