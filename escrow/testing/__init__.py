"""What a platform's testers install: a stack under test, a typed client, stories as text, valid numbers."""
