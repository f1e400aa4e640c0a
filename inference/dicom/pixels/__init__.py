"""Pixel Data to samples, however they are compressed; what they mean is not asked here."""
