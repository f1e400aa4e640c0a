r"""Segments of HL7 messages: values in, escaped text out (HL7 2.5.1 sections 2.5 to 2.7).

The separators are the recommended |^~\&. python-hl7 writes segments too, but escapes whatever is
not ASCII by its code point, which receivers do not read back where the message is in UTF-8.
"""

from collections.abc import Mapping

SEPARATORS = "^~\\&"

#: One value, or its components.
Value = str | tuple[str, ...]
#: What a field holds; a list is its repetitions.
Field = Value | list[Value]

_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " ")
_ESCAPED = _CONTROLS | str.maketrans(
    {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\\": "\\E\\"}
)


def segment(name: str, fields: Mapping[int, Field]) -> str:
    """One segment without its carriage return; fields by their number in the standard, from 1."""
    last = max((number for number, field in fields.items() if field), default=0)
    return "|".join([name, *(_field(fields.get(number, "")) for number in range(1, last + 1))])


def header(fields: Mapping[int, Field]) -> str:
    """MSH, whose first two fields are the separators themselves (section 2.14.9)."""
    _, _, _, *rest = segment("MSH", {**fields, 1: "-", 2: "-"}).split("|", 3)
    return "|".join(["MSH", SEPARATORS, *rest])


def escaped(text: str) -> str:
    """A value as it stands in a field; control characters, which may end it, are spaces."""
    return text.translate(_ESCAPED)


def _field(field: Field) -> str:
    repetitions = field if isinstance(field, list) else [field]
    return "~".join(_value(value) for value in repetitions)


def _value(value: Value) -> str:
    components = (value,) if isinstance(value, str) else value
    return "^".join(escaped(each) for each in components).rstrip("^")
