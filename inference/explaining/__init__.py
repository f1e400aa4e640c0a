"""What a network's answer rests on, so that a reader can see it."""
