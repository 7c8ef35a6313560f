"""Pure rules of the escrow business: no IO, no clock."""
