"""What the command says of options it cannot use: one line, before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tradewind.errors import InvalidInputError
from tradewind_local.cli import main
from tradewind_local.json_file import check_json_file, write_json_file


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run --minutes abc", "tradewind run: Invalid value for '--minutes': 'abc' is not"),
        ("run --label foo", "tradewind run: Invalid value for '--label': 'foo' is not one of"),
        ("run --seed abc", "tradewind run: Invalid value for '--seed': 'abc' is not"),
        ("run --json /", "tradewind run: Invalid value for '--json': File '/' is a directory"),
        ("run --no-such-thing", "tradewind run: No such option '--no-such-thing'"),
        ("run something", "tradewind run: Got unexpected extra argument (something)"),
        ("bars import", "tradewind bars import: Missing argument"),
        ("walk", "tradewind: No such command 'walk'"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(arguments: str, said: str) -> None:
    result = CliRunner().invoke(main, arguments.split(), prog_name="tradewind")
    assert result.exit_code == 2
    assert result.output.startswith(said)
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("arguments", ["--help", "run --help", "bars backfill --help"])
def test_help_is_no_error(arguments: str) -> None:
    result = CliRunner().invoke(main, arguments.split(), prog_name="tradewind")
    assert (result.exit_code, result.output[:6]) == (0, "Usage:")


def test_a_summary_that_can_be_written_leaves_no_trace_of_the_check(tmp_path: Path) -> None:
    check_json_file(None)
    path = tmp_path / "summary.json"
    check_json_file(path)
    assert list(tmp_path.iterdir()) == []
    write_json_file(path, {"cycles": 1})
    check_json_file(path)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [
        ("summary.json", '{\n  "cycles": 1\n}\n')
    ]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/no-such-folder/x.json", "there is no folder /no-such-folder"),
        ("/", "is a folder, or no ordinary file"),
        ("/dev/null", "is a folder, or no ordinary file"),  # else a file would take its place
        ("/proc/x.json", "cannot be written"),  # root may write anywhere but here
        (f"/{'x' * 253}", "cannot be written: File name too long"),
    ],
)
def test_a_summary_that_cannot_be_written_is_found_at_once(path: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"--json {path}: {said}"):
        check_json_file(Path(path))
