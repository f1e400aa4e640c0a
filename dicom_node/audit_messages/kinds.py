"""The kinds of audit messages that the node sends, by the words of PS3.15 A.5.3."""

from typing import Literal, get_args

Kind = Literal[
    "application activity",
    "audit log used",
    "begin transferring",
    "instances accessed",
    "instances transferred",
    "study deleted",
    "query",
    "security alert",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
