"""A toy pipeline of a stranger: a chest film and an ECG."""
