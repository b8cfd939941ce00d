"""Runs a revision's SQL file."""

from __future__ import annotations

from pathlib import Path

from alembic import op


def run_script(revision_file: str) -> None:
    """Execute the ``.sql`` beside a revision's ``.py``, many statements in one go.

    Handed to the driver as it is: no placeholders are looked for in it.
    """
    script = Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script)
