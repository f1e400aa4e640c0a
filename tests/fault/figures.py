"""The figures that README.md quotes: one JSON file a run, in `figures/` beside this file."""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).with_name("figures")


def write(name: str, **figures: Any) -> None:
    """Keep what a run found."""
    _FOLDER.mkdir(exist_ok=True)
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
    }
    text = json.dumps({**about, **figures}, indent=1, sort_keys=True)
    (_FOLDER / f"{name}.json").write_text(text + "\n", "utf-8")
