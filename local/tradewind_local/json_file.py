"""The file that ``--json`` names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tradewind_local.output_file import check_output_file, write_output_file


def check_json_file(path: Path | None) -> None:
    """Better now than after a whole session. Raises InvalidInputError."""
    check_output_file("--json", path)


def write_json_file(path: Path, content: dict[str, Any]) -> None:
    """The whole file or none of it. Raises InvalidInputError."""
    write_output_file("--json", path, json.dumps(content, indent=2) + "\n")
