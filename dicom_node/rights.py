"""What a system that calls the node may be allowed to do."""

from typing import Literal

Right = Literal["echo", "store", "reject", "announce", "commit", "correct"]
