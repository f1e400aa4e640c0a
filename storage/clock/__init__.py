"""The time of day: what is known of it, and what follows when it jumps."""
