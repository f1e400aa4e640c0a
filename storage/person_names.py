"""Names of persons (PN) as they are compared and searched for."""

import unicodedata


def folded(name: str) -> str:
    """A name without case, width, accents and doubled or surrounding blanks."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(each for each in decomposed if not unicodedata.combining(each))
    return " ".join(letters.replace("\0", " ").split())


def name_key(name: str) -> str:
    """A name as it is searched for: folded, and without empty components at its end."""
    return "=".join(folded(group).rstrip("^ ") for group in name.split("=")).rstrip("=")


def searched(name: str) -> list[str]:
    r"""Patterns of SQL LIKE, escaped by a backslash, for a name or one of its groups.

    `*` and `?` are the wildcards of PS3.4 C.2.2.2.4.
    """
    pattern = name_key(name)
    for plain, written in (("\\", "\\\\"), ("%", r"\%"), ("_", r"\_"), ("*", "%"), ("?", "_")):
        pattern = pattern.replace(plain, written)
    return [pattern, f"{pattern}=%", f"%={pattern}", f"%={pattern}=%"]
