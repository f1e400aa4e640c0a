"""Studies while they come in: who brings them, what is missing, when they are complete."""
