"""Synthetic ECG pages: leads on paper as carts print them, and what scanning does to it."""
