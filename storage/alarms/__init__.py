"""What an administrator has to look at: about studies, about work."""
