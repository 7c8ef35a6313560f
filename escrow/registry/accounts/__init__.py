"""Bank accounts of members: bound, verified, and who holds them."""
