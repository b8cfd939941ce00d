"""The zip of a local function: a bootstrap script that changes whenever the sources do."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from tradewind_local.twin.functions import bootstrap_script, bootstrap_zip, source_hash


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "with space and $dollar"
    (folder / "deep").mkdir(parents=True)
    (folder / "app.py").write_text("a = 1\n")
    (folder / "deep" / "data.csv").write_text("x\n")
    return folder


def test_an_edit_a_rename_and_a_new_file_change_the_hash(sources: Path) -> None:
    hashes = [source_hash([sources])]
    (sources / "app.py").write_text("a = 2\n")
    hashes.append(source_hash([sources]))
    (sources / "app.py").rename(sources / "other.py")
    hashes.append(source_hash([sources]))
    (sources / "new.py").touch()
    hashes.append(source_hash([sources]))
    assert len(set(hashes)) == len(hashes)


def test_compiled_files_do_not_change_the_hash(sources: Path) -> None:
    before = source_hash([sources])
    (sources / "__pycache__").mkdir()
    (sources / "__pycache__" / "app.cpython-313.pyc").write_bytes(b"compiled")
    assert source_hash([sources]) == before


def test_the_zip_holds_one_executable_and_the_same_bytes_each_time() -> None:
    content = bootstrap_zip("#!/bin/sh\n")
    assert bootstrap_zip("#!/bin/sh\n") == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (entry,) = archive.infolist()
        assert entry.filename == "bootstrap"
        assert entry.external_attr >> 16 & 0o111
        assert archive.read(entry) == b"#!/bin/sh\n"


def test_the_script_runs_in_the_functions_folder_whatever_its_name(
    sources: Path, tmp_path: Path
) -> None:
    """The interpreter is replaced by printf, which shows what it would have been given."""
    script = bootstrap_script("One", sources, [tmp_path], tmp_path, {"QUOTED": "it's $HOME"})
    *head, last = script.strip().split("\n")
    assert last.startswith("exec ")
    shown = 'pwd; printf "%s\\n" "$PYTHONPATH" "$QUOTED" "$_HANDLER"'
    result = subprocess.run(
        ["/bin/sh", "-c", "\n".join([*head, shown])],
        env={**os.environ, "_HANDLER": "app.handler"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == [
        str(sources),
        f"{sources}:{tmp_path}",
        "it's $HOME",
        "app.handler",
    ]
