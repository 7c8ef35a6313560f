"""`escrow demo`: one decoration contract lived through on a stack of its own, told line by line, checked at the end."""
