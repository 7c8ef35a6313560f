"""What parties may have to authorise: each carried out by one function, whoever calls it."""
