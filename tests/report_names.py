"""Patients' names in every character set of DICOM, as sources write them."""

from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from dicom_node.report import StudyContext

#: Names of PS3.5 annexes H, I and J, byte by byte, and of the single-byte sets.
NAMES = {
    "default": ([], b"Buc^Jerome", "Buc^Jerome"),
    "latin-1": (["ISO_IR 100"], b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    "latin-2": (["ISO_IR 101"], b"Wa\xb3\xeasa^Lech ", "Wałęsa^Lech"),
    "greek": (["ISO_IR 126"], b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    "cyrillic": (["ISO_IR 144"], b"\xbb\xee\xda\xe1\xd5\xdc\xd1\xe3\xe0\xd3", "Люксембург"),
    "arabic": (["ISO_IR 127"], b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
    "hebrew": (["ISO_IR 138"], b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
    "thai": (["ISO_IR 166"], b"\xb9\xd2\xc1", "นาม"),
    "japanese": (
        ["", "ISO 2022 IR 87"],
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    "half-width": (
        ["ISO 2022 IR 13", "ISO 2022 IR 87"],
        (
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"
            b"=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"
        ),
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "korean": (
        ["", "ISO 2022 IR 149"],
        (
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"
            b"=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
        ),
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    "gb2312": (
        ["", "ISO 2022 IR 58"],
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab= ",
        "Zhang^XiaoDong=张^小东",
    ),
    "gb18030": (
        ["GB18030"],
        b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab= ",
        "Wang^XiaoDong=王^小东",
    ),
    "utf-8": (["ISO_IR 192"], "Wang^XiaoDong=王^小東= ".encode(), "Wang^XiaoDong=王^小東"),
}


def source(character_set: list[str], **received: bytes) -> Dataset:
    """A header as pydicom reads it: values are bytes until somebody looks at them."""
    header = Dataset()
    header.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.9"
    if character_set:
        header.SpecificCharacterSet = character_set
    for keyword, value in received.items():
        tag = Tag(keyword)
        raw = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)
        header[tag] = raw
    buffer = BytesIO()
    header.set_original_encoding(False, True, header._character_set)
    header.save_as(buffer, implicit_vr=False, little_endian=True)
    return dcmread(BytesIO(buffer.getvalue()), force=True)


def context(character_set: list[str], **received: bytes) -> StudyContext:
    return StudyContext.from_header(source(character_set, **received), revision=1)
