"""The linters' word on the template, before and after SAM's translation, and on the workflow.

cfn-lint does not translate SAM: some mistakes are in the raw template, others show only in what
CloudFormation is given.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.template.stack import ROOT, TEMPLATE, Stack, translate

# SAM has filled parameters into layer names, where Fn::Sub has nothing left to do (W1020), and has
# dropped the template's own word about W3011; a path that exists under a condition gets that
# condition at each of its levels (W1028).
TRANSLATED_IGNORED = ("W1020", "W1028", "W3011")
CFN_LINT = Path(sys.executable).with_name("cfn-lint")
VALIDATOR = ROOT / "node_modules" / ".bin" / "asl-validator"

needs_validator = pytest.mark.skipif(
    shutil.which("node") is None or not VALIDATOR.exists(),
    reason="asl-validator is not installed: `make test` installs it from package.json with npm",
)


def lint(path: Path, ignored: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    options = ["--ignore-checks", *ignored] if ignored else []
    return subprocess.run(
        [str(CFN_LINT), "--template", str(path), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def lint_translated(template: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "translated.json"
    path.write_text(json.dumps(translate(template)), encoding="utf-8")
    return lint(path, TRANSLATED_IGNORED)


def validate(workflow: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """With an address in the place of every substitution, as the template fills them in."""
    text = json.dumps(workflow).replace("${Partition}", "aws")
    text = re.sub(r"\$\{(\w+)\}", r"arn:aws:lambda:us-east-1:123456789012:function:\1:1", text)
    path = folder / "workflow.json"
    path.write_text(text, encoding="utf-8")
    return subprocess.run(
        [str(VALIDATOR), "--json-path", str(path)], capture_output=True, text=True, check=False
    )


def test_the_raw_template_lints_clean() -> None:
    answer = lint(TEMPLATE)
    assert answer.returncode == 0, answer.stdout


def test_the_translated_template_lints_clean(tmp_path: Path) -> None:
    answer = lint_translated(Stack.read().template, tmp_path)
    assert answer.returncode == 0, answer.stdout


def test_what_shows_only_after_the_translation_is_seen(tmp_path: Path) -> None:
    damaged = Stack.read().copy()
    event = damaged.resource("LogTrades")["Properties"]["Events"]["Messages"]["Properties"]
    event["ScalingConfig"]["MaximumConcurrency"] = 1
    answer = lint_translated(damaged.template, tmp_path)
    assert answer.returncode != 0
    assert "less than the minimum of 2" in answer.stdout


@needs_validator
@pytest.mark.parametrize("machine", sorted(Stack.read().workflows))
def test_the_workflow_is_valid(machine: str, tmp_path: Path) -> None:
    answer = validate(Stack.read().workflows[machine], tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@needs_validator
def test_a_workflow_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    damaged = Stack.read().copy()
    damaged.workflow["States"]["Assess risk"]["Next"] = "Nowhere"
    assert validate(damaged.workflow, tmp_path).returncode != 0
