"""What becomes of an instance that came in, or that was refused."""
