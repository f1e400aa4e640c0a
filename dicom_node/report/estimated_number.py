"""The number of an estimate as every measurement group of the SR holds it (TID 300)."""

from collections.abc import Sequence

from highdicom.sr import ContentItem

from dicom_node.report import concepts
from dicom_node.report.items import HAS_CONCEPT_MOD, code, concept, number
from inference.types import Measurement


def estimated(measurement: Measurement, children: Sequence[ContentItem]) -> ContentItem:
    """The number of an estimate, and that it is one, with further children."""
    equivalents = [measurement.equivalent] if measurement.equivalent else []
    return number(
        concept(measurement.concept, *equivalents),
        measurement.value,
        measurement.unit,
        decimals=measurement.decimals,
        qualifier=concepts.OUT_OF_RANGE if measurement.beyond_range else None,
        children=[code(concepts.DERIVATION, concepts.ESTIMATED, HAS_CONCEPT_MOD), *children],
    )
