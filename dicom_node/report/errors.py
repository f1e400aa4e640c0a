"""What can go wrong in making a report.

ReportError    an object cannot be made, or would not be valid; the message lists what is wrong
"""

from collections.abc import Sequence

from dicom_node.errors import NodeError


class ReportError(NodeError):
    """A result object is not fit to be sent; `problems` lists why, without patient identity."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
