"""docs/bars.md lists every reason that a report may give."""

from __future__ import annotations

import re
from pathlib import Path

from tradewind.market.csv_rows import RowReason
from tradewind.market.verdict import Reason

DOCS = Path(__file__).resolve().parents[3] / "docs" / "bars.md"


def test_every_reason_is_explained_and_no_other() -> None:
    text = DOCS.read_text(encoding="utf-8").partition("## Every reason")[2]
    explained = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    explained += ["repeated", "less_complete"]
    assert sorted(explained) == sorted({*map(str, RowReason), *map(str, Reason)})
