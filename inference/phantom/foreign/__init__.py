"""A second, independent scanner and laboratory: the same circulation, seen and shown differently.

Hearts follow from pressures by other coefficients, are drawn with other shapes, and are imaged by
another geometry, texture, compression and screen. A model of the phantom must find it foreign.
"""
