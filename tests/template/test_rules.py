"""The rules hold for the template, and each of them notices the defect it is there for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.template import rules_functions, rules_messages, rules_permissions, rules_workflow
from tests.template.defects import DEFECTS, Defect
from tests.template.stack import Stack

Rule = Callable[[Stack], list[str]]
RULES: tuple[Rule, ...] = (
    *rules_functions.RULES,
    *rules_messages.RULES,
    *rules_permissions.RULES,
    *rules_workflow.RULES,
)


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack.read()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(rule: Rule, stack: Stack) -> None:
    assert rule(stack) == []


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_rule_notices_the_defect(defect: Defect, stack: Stack) -> None:
    damaged = stack.copy()
    defect.plant(damaged)
    assert defect.rule(damaged), f"{defect.rule.__name__} did not notice: {defect.name}"


def test_every_rule_has_a_defect_that_it_notices() -> None:
    assert {rule.__name__ for rule in RULES} == {defect.rule.__name__ for defect in DEFECTS}
