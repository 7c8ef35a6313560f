"""A bank that is a stranger to the escrow system: own process, own books, own clock."""
