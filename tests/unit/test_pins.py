"""Every package is pinned exactly, down to what the packages themselves bring along."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
BROUGHT_ALONG = "# What these bring along."

Installed = Mapping[str, Distribution]


def lines(path: Path) -> list[tuple[str, bool]]:
    """The requirements of a file and of those it includes, and whether each was chosen by us."""
    found, chosen = [], True
    for line in path.read_text(encoding="utf-8").splitlines():
        chosen = chosen and line != BROUGHT_ALONG
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += lines(path.parent / text[3:])
        elif text:
            found.append((text, chosen))
    return found


def pins(path: Path) -> dict[str, str]:
    """Canonical name -> version."""
    found: dict[str, str] = {}
    for text, _ in lines(path):
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", text)
        assert match, f"{path.name}: {text!r} is no exact pin"
        name = canonicalize_name(match[1])
        assert found.setdefault(name, match[2]) == match[2], f"{path.name}: {name} is pinned twice"
    return found


def closure(chosen: Iterable[str], installed: Installed) -> set[str]:
    """The names that the requirements need here, their own included."""
    needed: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in chosen]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        needed.add(name)
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in installed[name].requires or []:
                further = Requirement(text)
                if further.marker is None or further.marker.evaluate({"extra": extra}):
                    waiting.append(further)
    return needed


def installed_in(paths: list[str] | None = None) -> dict[str, Distribution]:
    found = distributions() if paths is None else distributions(path=paths)
    return {canonicalize_name(each.metadata["Name"]): each for each in found}


def environment_of(name: str) -> Installed:
    if name in ("run.txt", "backtest.txt", "test.txt"):
        return installed_in()
    environment = f".venv-{name.removesuffix('.txt')}"
    folders = [str(path) for path in (ROOT / environment).glob("lib/python*/site-packages")]
    if not folders:
        pytest.skip(f"{environment} is not there: `make test-all` makes it")
    return installed_in(folders)


@pytest.mark.parametrize("name", ["run.txt", "backtest.txt", "test.txt", "sam.txt", "peers.txt"])
def test_all_that_is_needed_is_pinned_and_nothing_else(name: str) -> None:
    path = REQUIREMENTS / name
    installed = environment_of(name)
    needed = closure((text for text, chosen in lines(path) if chosen), installed)
    assert pins(path) == {each: installed[each].version for each in needed}
