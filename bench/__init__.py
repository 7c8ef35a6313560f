"""How fast it is: each number against a floor measured in the same run."""
