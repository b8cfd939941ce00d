"""The zips of the local functions: a bootstrap script each, with the source tree's hash in it."""

from __future__ import annotations

import hashlib
import io
import shlex
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

RUNTIME_FOLDER = Path(__file__).parent / "lambda_runtime"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # equal content gives equal bytes


def source_hash(folders: list[Path]) -> str:
    """One hash over the folders' files: an edit changes it, a compiled file does not."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in _sources(folder):
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def bootstrap_script(
    function: str, code: Path, layers: list[Path], reports: Path, variables: Mapping[str, str]
) -> str:
    """The shell script that AWS would call the custom runtime.

    The worker runs under the interpreter that runs us, whose packages stand in for the
    dependencies that ``sam build`` would put into the layers.
    """
    python_path = ":".join(str(path) for path in (code, *layers))
    exports = {
        "PYTHONPATH": python_path,
        "LAMBDA_TASK_ROOT": str(code),
        "REPORT_FILE": str(reports / f"{function}.log"),
        **variables,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(exports.items())]
    worker = shlex.quote(str(RUNTIME_FOLDER / "worker.py"))
    return "\n".join(
        [
            "#!/bin/sh",
            f"# sources {source_hash([code, *layers, RUNTIME_FOLDER])}",
            *lines,
            f"cd {shlex.quote(str(code))} || exit 1",
            f'exec {shlex.quote(sys.executable)} {worker} "$_HANDLER"',
            "",
        ]
    )


def bootstrap_zip(script: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap", _ZIP_TIME)
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, script)
    return content.getvalue()


def _sources(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    )
