"""The registers of persons and businesses that the sandbox bank offers."""
