"""Our upper layer in place of pynetdicom's own: all that leans on its private names."""
