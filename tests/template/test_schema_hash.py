"""Custom::Schema runs migrate_schema again exactly when what it would do has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.template.stack import ROOT, Stack

PACKAGE = ROOT / "layers" / "tradewind" / "tradewind"
POSTGRES = PACKAGE / "adapters" / "postgres"
# The migrations, the roles and their grants, and the starter model that is uploaded with them.
SOURCES = (
    POSTGRES / "migrations",
    POSTGRES / "grants.sql",
    POSTGRES / "migrate.py",
    PACKAGE / "prediction" / "starter",
)


def schema_hash(sources: tuple[Path, ...] = SOURCES) -> str:
    digest = hashlib.sha256()
    for source in sources:
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{source.name}/{path.relative_to(source)}\0".encode())
                digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def test_the_template_names_the_schema_that_is_here() -> None:
    written = Stack.read().resource("Schema")["Properties"]["SchemaHash"]
    assert written == schema_hash(), (
        "the migrations, roles, grants or the starter model have changed: "
        f'write SchemaHash: "{schema_hash()}" into template.yaml'
    )


def test_any_change_of_any_file_is_another_hash(tmp_path: Path) -> None:
    first = tmp_path / "0001.sql"
    first.write_text("CREATE TABLE a ();")
    hashes = {schema_hash((tmp_path,))}
    first.write_text("CREATE TABLE b ();")
    hashes.add(schema_hash((tmp_path,)))
    (tmp_path / "0002.sql").write_text("")
    hashes.add(schema_hash((tmp_path,)))
    (tmp_path / "0002.sql").rename(tmp_path / "0003.sql")
    hashes.add(schema_hash((tmp_path,)))
    assert len(hashes) == 4
