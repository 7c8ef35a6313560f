"""Orders over HTTP: opening, looking, and the commands of both sides."""
