"""Reports on their way to destinations, until they are read back."""
