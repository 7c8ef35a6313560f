"""What touches the world: thin, idempotent activities, one call or one database transaction each."""
