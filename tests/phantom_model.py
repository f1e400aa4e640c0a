"""A bundle of the tests' own: training the demonstration's anew moves none of their numbers.

It was trained on the phantom and packed in format 1: without familiarity, evidence or a card.
"""

from pathlib import Path

PHANTOM_BUNDLE = Path(__file__).with_name("phantom_bundle")
