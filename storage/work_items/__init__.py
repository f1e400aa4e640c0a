"""Work items of work lists: which the node claims, and how far each is."""
