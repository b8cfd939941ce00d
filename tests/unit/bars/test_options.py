"""What the options of ``tradewind bars`` mean; their refusals are tested with the commands."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.request_limits import RequestLimits
from tradewind_local.bars.budget import OwnBudget
from tradewind_local.bars.database import target_of
from tradewind_local.bars.options import NamedFile, named_files, split_factors, symbols_of

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_files_and_symbols() -> None:
    assert named_files(["AAPL=a.csv", "AAPL=b.csv", "BRK.B=x=y.csv"]) == [
        NamedFile("AAPL", Path("a.csv")),
        NamedFile("AAPL", Path("b.csv")),
        NamedFile("BRK.B", Path("x=y.csv")),
    ]
    assert symbols_of(" AAPL, MSFT,,AAPL ") == ["AAPL", "MSFT"]


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("AAPL=2014-06-09:7/1", Fraction(7)),
        ("X=2020-01-02:1/50", Fraction(1, 50)),
        ("X=2020-01-02:1.05/1", Fraction(21, 20)),
        ("X=2020-01-02:1/1", Fraction(1)),
    ],
)
def test_splits(text: str, factor: Fraction) -> None:
    (split,) = split_factors([text], NOW)
    assert (split.factor, split.known_at) == (factor, NOW)
    assert split.effective == date.fromisoformat(text.partition("=")[2][:10])


@pytest.mark.parametrize(
    "text",
    ["", "AAPL", "AAPL=7/1", "AAPL=2014-06-09", "AAPL=2014-06-09:7", "AAPL=2014-06-09:0/1",
     "AAPL=2014-06-09:7/-1", "AAPL=2014-06-09:NaN/1", "AAPL=9.6.2014:7/1", "=2014-06-09:7/1"],
)  # fmt: skip
def test_what_is_no_split(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is not like AAPL=2014-06-09:7/1"):
        split_factors([text], NOW)


# -- --database -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "variables", "folder"),
    [
        ("bars", {}, Path("bars")),
        ("/data/bars", {"XDG_DATA_HOME": "/x"}, Path("/data/bars")),
        (None, {"XDG_DATA_HOME": "/x"}, Path("/x/tradewind/database")),
        (None, {}, Path.home() / ".local/share/tradewind/database"),
        # A relative one counts as none.
        (None, {"XDG_DATA_HOME": "x"}, Path.home() / ".local/share/tradewind/database"),
    ],
)
def test_folders(text: str | None, variables: dict[str, str], folder: Path) -> None:
    target = target_of(text, variables)
    assert (target.folder, target.address) == (folder, None)


# url, PGPASSWORD, then host, port, name, user, tls, password
URLS = [
    ("postgresql://u:p@db.example/n", "", ("db.example", 5432, "n", "u", "verify-full", "p")),
    ("postgres://u@db.example:6000/n", "q", ("db.example", 6000, "n", "u", "verify-full", "q")),
    ("postgresql://u:p@localhost/n", "q", ("localhost", 5432, "n", "u", "off", "p")),
    ("postgresql://u@[::1]:1/n", "", ("::1", 1, "n", "u", "off", "")),
    ("postgresql://a%40b:p%2F@localhost/n%20m", "", ("localhost", 5432, "n m", "a@b", "off", "p/")),
]  # fmt: skip


@pytest.mark.parametrize(("url", "password", "expected"), URLS)
def test_urls(url: str, password: str, expected: tuple[object, ...]) -> None:
    target = target_of(url, {"PGPASSWORD": password})
    at = target.address
    assert at is not None
    assert (at.host, at.port, at.name, at.user, at.tls, at.password_source()) == expected


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:secret@h", "postgresql://u:secret@/n", "postgresql://:secret@h/n",
     "postgresql://u:secret@h:x/n", "postgresql://u:secret@h/n/m", "http://u:secret@h/n",
     "postgresql://u:secret@h/n?sslmode=disable", "postgresql://u:secret@[h/n", ""],
)  # fmt: skip
def test_what_is_no_database_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^--database") as refused:
        target_of(url, {})
    assert "secret" not in str(refused.value)


def test_the_name_for_people_holds_no_password() -> None:
    assert target_of("postgresql://u:secret@h/n", {}).name == "postgresql://u@h:5432/n"


def test_the_budget_counts_what_is_asked() -> None:
    budget = OwnBudget(RequestLimits.parse("2/minute"))
    assert [budget.take("x", NOW) for _ in range(2)] == [0, 0]
    assert 0 < budget.take("x", NOW) <= 66
