"""The file that ``--json`` names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tradewind.errors import InvalidInputError


def check_json_file(path: Path | None) -> None:
    """Better now than after a whole session."""
    if path is not None and not path.resolve().parent.is_dir():
        raise InvalidInputError(f"--json {path}: there is no folder {path.parent}")


def write_json_file(path: Path, content: dict[str, Any]) -> None:
    """The whole file or none of it."""
    draft = path.with_name(f".{path.name}.tmp")
    try:
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise InvalidInputError(f"--json {path}: {error.strerror}") from error
