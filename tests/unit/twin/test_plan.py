"""What a replay may be asked for: checked whole before anything is started."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from tradewind.market.session_table import default_table
from tradewind_local.cli import main
from tradewind_local.replay.plan import recorded_plan, simulated_plan

HEADER = "timestamp,open,high,low,close,volume\n"
# Start labels, New York: the session's first two bars, one before it and one after it.
GOOD = (
    HEADER + "2020-11-12 16:00:00,10,10,10,10,5\n"
    "2020-11-12 09:31:00,10,12,9,11,100\n"
    "2020-11-12 09:30:00,10,11,9,10,100\n"
    "2020-11-12 09:29:00,10,10,10,10,5\n"
    "2020-11-11 15:59:00,9,9,9,9,7\n"
)

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        path = tmp_path / "bars.csv"
        path.write_text(text)
        return path

    return write_file


def test_regular_hours_only_split_into_history_and_session(write: Write) -> None:
    files = {"AAPL": write(GOOD)}
    plan = recorded_plan(files, "2020-11-12", None, "start", "America/New_York", default_table())
    assert [bar.start for bar in plan.bars] == [
        datetime(2020, 11, 12, 14, 30, tzinfo=UTC),
        datetime(2020, 11, 12, 14, 31, tzinfo=UTC),
    ]
    assert [bar.start for bar in plan.history] == [datetime(2020, 11, 11, 20, 59, tzinfo=UTC)]
    assert plan.minutes == 390
    assert plan.bar_times()[0] == plan.session.open
    assert plan.bar_times()[-1] == plan.session.last_bar


def test_a_half_day_ends_at_its_close_whatever_was_asked_for(write: Write) -> None:
    rows = HEADER + "2020-11-27 09:30:00,1,1,1,1,1\n2020-11-27 15:00:00,1,1,1,1,1\n"
    for asked in (None, 390):
        plan = recorded_plan(
            {"AAPL": write(rows)},
            "2020-11-27",
            asked,
            "start",
            "America/New_York",
            default_table(),
        )
        assert plan.minutes == 210
        assert [bar.start.hour for bar in plan.bars] == [14]


def test_a_simulated_plan_is_an_hour_and_the_same_for_the_same_seed() -> None:
    plans = [simulated_plan(["AAPL"], None, None, seed, default_table()) for seed in (1, 1, 2)]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]
    assert plans[0].minutes == 60
    assert plans[0].simulated
    assert len(plans[0].bars) == 390
    assert plans[0].history[-1].start < plans[0].session.open


def test_simulated_sessions_of_a_month_lie_on_one_walk() -> None:
    """So that one state folder can be given one session after the other."""
    monday, tuesday = (
        simulated_plan(["AAPL"], day, None, 1, default_table())
        for day in ("2025-06-09", "2025-06-10")
    )
    assert tuesday.history == (*monday.history, *monday.bars)


BARS = ["--bars", "AAPL={file}"]
DAY = ["--date", "2020-11-12"]
# Arguments, the file's text -> what the one line must say.
REFUSED: list[tuple[list[str], str, str]] = [
    (BARS, GOOD, "--date is missing"),
    ([*BARS, "--date", "12.11.2020"], GOOD, "--date '12.11.2020' is not a date"),
    # Thanksgiving, a Sunday, and years beyond the table.
    ([*BARS, "--date", "2020-11-26"], GOOD, "no session that day"),
    ([*BARS, "--date", "2020-11-15"], GOOD, "no session that day"),
    ([*BARS, "--date", "1920-11-15"], GOOD, "outside the session table"),
    ([*BARS, "--date", "2020-11-13"], GOOD, "no bars in the session of 2020-11-13"),
    ([*BARS, *DAY, "--minutes", "0"], GOOD, "--minutes 0"),
    ([*BARS, *DAY, "--minutes", "391"], GOOD, "--minutes 391"),
    ([*BARS, *DAY, "--timezone", "Mars/Olympus"], GOOD, "--timezone 'Mars/Olympus'"),
    ([*BARS, *DAY, "--timezone", "../etc"], GOOD, "--timezone '../etc'"),
    ([*BARS, *DAY, "--symbols", "MSFT"], GOOD, "--symbols is for the simulated market"),
    ([*BARS, *BARS, *DAY], GOOD, "names AAPL twice"),
    (["--bars", "aapl={file}", *DAY], GOOD, "symbol 'aapl'"),
    (["--bars", "{file}", *DAY], GOOD, "is not like AAPL=path.csv"),
    (["--bars", "AAPL={file}.gone", *DAY], GOOD, "No such file"),
    ([*BARS, *DAY], "time,open\n", "row 1: no column"),
    ([*BARS, *DAY], GOOD + "2020-11-12 09:32:00,10,9,11,10,1\n", "row 7"),
    ([*BARS, *DAY], GOOD + "2020-11-12 09:32:00,-1,9,-1,8,1\n", "row 7"),
    ([*BARS, *DAY], GOOD + "2020-11-12 09:32:00,broken\n", "row 7"),
    ([*BARS, *DAY, "--json", "{file}/x/y.json"], GOOD, "--json"),
    (["--date", "2020-11-26"], "", "no session that day"),
    (["--symbols", "AAPL", "--symbols", "AAPL"], "", "names a symbol twice"),
    (["--symbols", "BRK/B"], "", "symbol 'BRK/B'"),
]


@pytest.mark.parametrize(("arguments", "text", "said"), REFUSED)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], text: str, said: str, write: Write, tmp_path: Path
) -> None:
    file = str(write(text))
    state = tmp_path / "state"
    given = [argument.replace("{file}", file) for argument in arguments]
    result = CliRunner().invoke(main, ["run", *given, "--state", str(state)])
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not state.exists()


def test_a_state_folder_with_something_else_in_it_is_refused(write: Write, tmp_path: Path) -> None:
    file = write(GOOD)
    result = CliRunner().invoke(
        main, ["run", "--bars", f"AAPL={file}", *DAY, "--state", str(tmp_path)]
    )
    assert result.exit_code == 2
    assert "has other files in it" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"bars.csv"}
