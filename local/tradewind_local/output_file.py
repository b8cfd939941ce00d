"""The files that options such as ``--json`` name."""

from __future__ import annotations

from pathlib import Path

from tradewind.errors import InvalidInputError


def check_output_file(option: str, path: Path | None) -> None:
    """Better now than after a whole session. Raises InvalidInputError, which names the option."""
    if path is None:
        return
    if not path.resolve().parent.is_dir():
        raise InvalidInputError(f"{option} {path}: there is no folder {path.parent}")
    try:
        # Also /dev/null and pipes: the finished file takes the place of what is there.
        if path.exists() and not path.is_file():
            raise InvalidInputError(f"{option} {path}: is a folder, or no ordinary file")
        draft = _draft(path)
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise _cannot_be_written(option, path, error) from error


def write_output_file(option: str, path: Path, text: str) -> None:
    """The whole file or none of it. Raises InvalidInputError."""
    try:
        draft = _draft(path)
        draft.write_text(text, encoding="utf-8", newline="")
        draft.replace(path)
    except OSError as error:
        raise _cannot_be_written(option, path, error) from error


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def _cannot_be_written(option: str, path: Path, error: OSError) -> InvalidInputError:
    return InvalidInputError(f"{option} {path}: cannot be written: {error.strerror}")
