"""Fields of HL7 messages: what is written is what python-hl7 reads back."""

import hl7
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.hl7.segments import header, segment

#: Anything but control characters and surrogates; python-hl7 strips what stands around a message.
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).map(
    lambda text: f"<{text}>"
)


def read(line: str) -> hl7.Message:
    return hl7.parse("\r".join([header({9: ("ORU", "R01"), 18: "UNICODE UTF-8"}), line, ""]))


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3))
def test_any_text_survives_in_any_component_of_any_repetition(
    repetitions: list[tuple[str, ...]],
) -> None:
    message = read(segment("PID", {3: list(repetitions)}))
    for number, components in enumerate(repetitions, 1):
        for place, component in enumerate(components, 1):
            found = message.extract_field("PID", 1, 3, number, place)
            assert found == component


def test_fields_stand_by_their_number_and_empty_ones_at_the_end_are_left_out() -> None:
    assert segment("PID", {1: "1", 3: ("A", "", ""), 5: "", 8: ""}) == "PID|1||A"


def test_the_header_begins_with_the_separators_themselves() -> None:
    assert header({3: "X", 10: "ID"}) == "MSH|^~\\&|X|||||||ID"


def test_what_would_end_a_segment_becomes_a_space() -> None:
    assert segment("NTE", {3: "a\r\nb\x1c"}) == "NTE|||a  b "
