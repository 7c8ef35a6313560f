"""What stands before a collection: mandates and their debits, codes of payers, links to cashiers."""
