"""The file that ``--json`` names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tradewind.errors import InvalidInputError


def check_json_file(path: Path | None) -> None:
    """Better now than after a whole session. Raises InvalidInputError."""
    if path is None:
        return
    if not path.resolve().parent.is_dir():
        raise InvalidInputError(f"--json {path}: there is no folder {path.parent}")
    try:
        # Also /dev/null and pipes: the finished file takes the place of what is there.
        if path.exists() and not path.is_file():
            raise InvalidInputError(f"--json {path}: is a folder, or no ordinary file")
        draft = _draft(path)
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise _cannot_be_written(path, error) from error


def write_json_file(path: Path, content: dict[str, Any]) -> None:
    """The whole file or none of it. Raises InvalidInputError."""
    try:
        draft = _draft(path)
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise _cannot_be_written(path, error) from error


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def _cannot_be_written(path: Path, error: OSError) -> InvalidInputError:
    return InvalidInputError(f"--json {path}: cannot be written: {error.strerror}")
