"""Ultrasound: which loops take part, which frames of them, and their pixels."""
