"""What goes into the layers: the pins that were tested, nothing missing, and small enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.template.stack import ROOT, Stack, mentions

TRADEWIND = ROOT / "layers" / "tradewind" / "requirements.txt"
QUANT = ROOT / "layers" / "quant" / "requirements.txt"
MIGRATE = ROOT / "functions" / "migrate_schema" / "requirements.txt"
RUN = ROOT / "requirements" / "run.txt"
BACKTEST = ROOT / "requirements" / "backtest.txt"
SAM_ENVIRONMENT = ROOT / ".venv-sam" / "bin"
LIMIT = 250 * 1024 * 1024
# What Lambda's Python 3.13 runtime brings along.
RUNTIME = {"boto3", "botocore", "s3transfer"}
TARGET = {
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "platform_machine": "aarch64",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}


def pins(path: Path) -> dict[str, str]:
    """Canonical name -> version; every line must be an exact pin."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text and not text.startswith("-r"):
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", text)
            assert match, f"{path.name}: {text!r} is no exact pin"
            found[canonicalize_name(match[1])] = match[2]
    return found


@pytest.mark.parametrize("path", [TRADEWIND, QUANT, MIGRATE], ids=lambda path: path.parent.name)
def test_pins_are_those_of_the_run_environment(path: Path) -> None:
    run = pins(RUN)
    ours = pins(path)
    both = run.keys() & ours.keys()
    assert both
    assert {name: ours[name] for name in both} == {name: run[name] for name in both}


@pytest.mark.parametrize("path", [TRADEWIND, QUANT, MIGRATE], ids=lambda path: path.parent.name)
def test_the_tests_run_with_what_is_deployed(path: Path) -> None:
    """Also of the packages that run.txt does not name itself."""
    here = {str(canonicalize_name(d.metadata["Name"])): d.version for d in distributions()}
    assert {name: here.get(name) for name in pins(path)} == pins(path)


@pytest.mark.parametrize(
    ("needing", "given"),
    [
        pytest.param((TRADEWIND,), (TRADEWIND,), id="tradewind alone"),
        pytest.param((TRADEWIND, QUANT), (TRADEWIND, QUANT), id="tradewind and quant"),
        pytest.param((MIGRATE,), (TRADEWIND, MIGRATE), id="migrate_schema"),
    ],
)
def test_nothing_that_is_needed_is_missing(
    needing: tuple[Path, ...], given: tuple[Path, ...]
) -> None:
    """The layers are installed without dependencies, so the lists have to be closed."""
    there = {name for path in given for name in pins(path)} | RUNTIME
    missing = {
        f"{name} needs {needed}"
        for path in needing
        for name in pins(path)
        for needed in _needs(name)
        if needed not in there
    }
    assert missing == set()


def _needs(name: str) -> Iterator[str]:
    for text in Distribution.from_name(name).requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(TARGET):
            yield canonicalize_name(requirement.name)


@pytest.mark.sam_build
@pytest.mark.skipif(
    not (SAM_ENVIRONMENT / "sam").exists(),
    reason="sam is not installed: `make test` makes .venv-sam from requirements/sam.txt",
)
def test_sam_builds_everything_without_docker_and_it_fits(tmp_path: Path) -> None:
    """Real wheels for arm64. The limit is Lambda's: function and layers unpacked, 250 MB, with the
    bytecode that a release carries."""
    built = _sam_build(tmp_path)
    sizes = {
        name: sum(_size(built / part) for part in [name, *mentions(properties["Layers"])])
        for name, properties in Stack.read().functions.items()
        if properties.get("PackageType") != "Image"
    }
    too_large = {name: size for name, size in sizes.items() if size >= LIMIT}
    assert too_large == {}

    packages = built / "TradewindLayer" / "python"
    assert (packages / "tradewind" / "adapters" / "postgres" / "rds_roots.pem").exists()
    assert (packages / "tradewind" / "market" / "xnys_sessions.csv").exists()
    assert (built / "MigrateSchema" / "alembic").is_dir()
    libraries = [*built.rglob("*.so"), *built.rglob("*.so.*")]
    assert libraries
    assert {_machine(path) for path in libraries} == {AARCH64}


AARCH64 = 183  # e_machine of an ELF file


def _machine(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[18:20], "little")


def _size(folder: Path) -> int:
    """In bytes. Where no Python 3.13 was there to write bytecode, it is reckoned at 1.1 times the
    source (measured: 1.06 times)."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    written = any(path.suffix == ".pyc" for path in files)
    return sum(
        round(path.lstat().st_size * (2.1 if path.suffix == ".py" and not written else 1))
        for path in files
    )


def _sam_build(folder: Path) -> Path:
    built = folder / "build"
    # Without Docker on PATH, so that nothing can depend on it; uv comes from .venv-sam.
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("sh", "make", "cp", "rm", "find", "mkdir"):
        found = shutil.which(tool)
        if found:
            (tools / tool).symlink_to(found)
    answer = subprocess.run(
        [
            str(SAM_ENVIRONMENT / "sam"),
            "build",
            "--beta-features",
            "--template",
            str(ROOT / "template.yaml"),
            "--build-dir",
            str(built),
            "--cache-dir",
            str(folder / "cache"),
        ],
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")},
            "PATH": f"{SAM_ENVIRONMENT}:{tools}",
            # A 3.13 that runs the tests can write the layers' bytecode.
            **({"PYTHON313": sys.executable} if sys.version_info[:2] == (3, 13) else {}),
            "SAM_CLI_TELEMETRY": "0",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return built
