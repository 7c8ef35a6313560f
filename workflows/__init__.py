"""What happens: deterministic business processes, one file each, without IO."""
