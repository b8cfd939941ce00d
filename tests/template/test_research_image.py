"""The research image, on paper: nothing here builds it. Its pins are the tested ones and whole,
what it copies is there, and laid out as it says the handlers find all they import."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.template.stack import ROOT, Stack
from tests.template.test_layers import BACKTEST, RUN, RUNTIME, TRADEWIND, _needs, pins

RESEARCH = ROOT / "research"
IMAGE = RESEARCH / "image.txt"
DOCKERFILE = (RESEARCH / "Dockerfile").read_text(encoding="utf-8")
COPIES = re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.MULTILINE)
TASK_ROOT = "${LAMBDA_TASK_ROOT}/"

IMPORT = """
import importlib, json, sys
# What numba would take along where it is.
sys.modules.update({"yaml": None, "coverage": None})
before = set(sys.modules)
module, handler = sys.argv[1].rsplit(".", 1)
assert callable(getattr(importlib.import_module(module), handler))
from tradewind import bootstrap
bootstrap.backtest_engine()
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(names - sys.stdlib_module_names)))
"""


def test_pins_are_those_that_the_tests_run_with() -> None:
    ours, run = pins(IMAGE), pins(RUN) | pins(BACKTEST)
    assert ours == {name: run[name] for name in ours}


def test_nothing_that_is_needed_is_missing() -> None:
    there = {*pins(TRADEWIND), *pins(IMAGE), *RUNTIME}
    missing = {(name, need) for name in pins(IMAGE) for need in _needs(name) if need not in there}
    assert missing == set()


def test_what_is_copied_is_not_ignored() -> None:
    ignored = (RESEARCH / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {f"!{source}" for source, _ in COPIES} == {x for x in ignored if x.startswith("!")}


def test_the_handlers_find_all_they_import_in_the_image(tmp_path: Path) -> None:
    for source, target in COPIES:
        if target.startswith(TASK_ROOT):
            shutil.copytree(ROOT / source, tmp_path / target.removeprefix(TASK_ROOT))
    commands = [
        properties["ImageConfig"]["Command"][0]
        for properties in Stack.read().functions.values()
        if properties.get("PackageType") == "Image"
    ]
    assert re.findall(r'^CMD \["(.+)"\]$', DOCKERFILE, re.MULTILINE)[0] in commands
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-P", "-c", IMPORT, command],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(tmp_path),
                "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
            },
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        brought = {*pins(TRADEWIND), *pins(IMAGE), *RUNTIME, "tradewind", "run_backtest"}
        # A module's name is not always its package's, and compiled packages make one of their own.
        brought |= {"aws_lambda_powertools", "typing_extensions", "dateutil", "cython_runtime"}
        assert {name for name in json.loads(done.stdout) if not name.startswith("_")} <= brought
