"""Rules about the state machines' definitions and what the template hands to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tradewind import errors
from tradewind.use_cases.backtesting import LONGEST_RUN

from tests.template.stack import MACHINE, Stack, mentions

State = dict[str, Any]
PUBLISH = "arn:${Partition}:states:::sns:publish"
ORDER_TASK = "Place order"
ORDER_ATTEMPTS = 3
# Machine -> longest wait in seconds before another attempt, and how many more attempts.
PATIENT = {"Backtest": (60, 6)}
_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")
_WORDS = re.compile(r"[A-Z][a-z]*( [a-z]+)*\??")


def states(
    level: State, holder: str | None = None
) -> Iterator[tuple[str, State, dict[str, State], str | None]]:
    """Every state at every depth: name, state, its neighbours, and the state that holds them."""
    for name, state in level["States"].items():
        yield name, state, level["States"], holder
        for inner in _inner(state):
            yield from states(inner, name)


def all_states(stack: Stack) -> Iterator[tuple[str, State, dict[str, State], str | None]]:
    """The states of every machine, as :func:`states` gives them."""
    for workflow in stack.workflows.values():
        yield from states(workflow)


def machine_tasks(workflow: State) -> Iterator[tuple[str, State]]:
    for name, state, _, _ in states(workflow):
        if state["Type"] == "Task":
            yield name, state


def tasks(stack: Stack) -> Iterator[tuple[str, State]]:
    for workflow in stack.workflows.values():
        yield from machine_tasks(workflow)


def task_function(state: State) -> str | None:
    """The substitution that a task calls as a function; None when it publishes."""
    match = re.fullmatch(r"\$\{(\w+)\}", state["Resource"])
    return match.group(1) if match else None


def names_are_words(stack: Stack) -> list[str]:
    return [
        f"{name!r} is not in words" for name, *_ in all_states(stack) if not _WORDS.fullmatch(name)
    ]


def substitutions_are_defined(stack: Stack) -> list[str]:
    """Each ``${name}`` has a value, and none is given for nothing."""
    found = []
    for machine, workflow in stack.workflows.items():
        used = set(_SUBSTITUTION.findall(json.dumps(workflow)))
        given = set(_machine(stack, machine)["DefinitionSubstitutions"])
        found += [f"{machine}: ${{{name}}} has no value" for name in sorted(used - given)]
        found += [f"{machine}: {name} is given and not used" for name in sorted(given - used)]
    return found


def tasks_call_versions(stack: Stack) -> list[str]:
    """A run is all old or all new code only when it calls versions."""
    return [
        f"{machine}: {name} does not call a version of {function}"
        for machine, workflow in stack.workflows.items()
        for name, state in machine_tasks(workflow)
        if (function := task_function(state))
        and _machine(stack, machine)["DefinitionSubstitutions"].get(function)
        != {"Ref": f"{function}.Version"}
    ]


def runs_keep_their_versions(stack: Stack) -> list[str]:
    """A deploy does not delete the versions that a run is still calling."""
    called = {function for _, state in tasks(stack) if (function := task_function(state))}
    return [
        f"{name}: a deploy deletes the version that a run is calling"
        for name in sorted(called & set(stack.functions))
        if stack.resource(name).get("UpdateReplacePolicy") != "Retain"
    ]


def role_covers_every_task(stack: Stack) -> list[str]:
    """The local cloud does not check the state machines' roles: they are compared here."""
    found = []
    for machine, workflow in stack.workflows.items():
        properties = _machine(stack, machine)
        (role,) = mentions(properties["Role"])
        called = set()
        for name, state in machine_tasks(workflow):
            function = task_function(state)
            called.add(function)
            if function and not stack.role_allows(role, "lambda:InvokeFunction", function):
                found.append(f"{name}: {role} may not invoke {function}")
            if state["Resource"] == PUBLISH:
                substitution = state["Parameters"]["TopicArn"].strip("${}")
                given = properties["DefinitionSubstitutions"].get(substitution)
                (topic,) = mentions(given) or {"?"}
                if not stack.role_allows(role, "sns:Publish", topic):
                    found.append(f"{name}: {role} may not publish to {topic}")
        for statement in stack.statements_of_role(role):
            if "lambda:InvokeFunction" in statement.actions:
                unused = mentions(list(statement.resources)) - called
                found.extend(f"{role} may invoke {name} for nothing" for name in sorted(unused))
    return found


def tasks_end_in_time(stack: Stack) -> list[str]:
    """Every task has a limit, above its function's own: who gives up first must be the function,
    or an order could still be on its way when the run goes on without it."""
    found = [
        f"{machine}: the run as a whole may hang"
        for machine, workflow in stack.workflows.items()
        if "TimeoutSeconds" not in workflow
    ]
    for name, state in tasks(stack):
        limit = state.get("TimeoutSeconds")
        function = task_function(state)
        if limit is None:
            found.append(f"{name} may hang")
        elif function in stack.functions and limit <= stack.functions[function]["Timeout"]:
            found.append(f"{name} gives up before {function} does")
    return found


def retries_are_named_and_few(stack: Stack) -> list[str]:
    """Errors by name, jitter, a longest wait, at most two more attempts (PATIENT machines, which
    nobody's money waits for, have more of both). Our own names exist and are retryable. The order
    task has at most three attempts in all."""
    retryable = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.RetryableError)
    }
    found: list[str] = []
    for machine, name, state in (
        (machine, name, state)
        for machine, workflow in stack.workflows.items()
        for name, state in machine_tasks(workflow)
    ):
        most_seconds, most_attempts = PATIENT.get(machine, (5, 2))
        retriers = state.get("Retry", [])
        if not retriers:
            found.append(f"{name} is never tried again")
        for retrier in retriers:
            if "States.ALL" in retrier["ErrorEquals"]:
                found.append(f"{name} tries again whatever happened")
            found.extend(
                f"{name}: {error} is no retryable error of ours"
                for error in retrier["ErrorEquals"]
                if "." not in error and error not in retryable
            )
            if retrier.get("JitterStrategy") != "FULL":
                found.append(f"{name} tries again without jitter")
            if retrier.get("MaxDelaySeconds", 3600) > most_seconds:
                found.append(f"{name} waits too long for a run of {machine}")
            if retrier.get("MaxAttempts", 3) > most_attempts:
                found.append(f"{name} is tried too often")
        attempts = 1 + sum(retrier.get("MaxAttempts", 3) for retrier in retriers)
        if name == ORDER_TASK and attempts > ORDER_ATTEMPTS:
            found.append(f"{name} is tried {attempts} times")
    return found


def failures_are_caught(stack: Stack) -> list[str]:
    """Every Task, Map and Parallel catches everything. ``States.ALL`` does not include
    ``States.DataLimitExceeded``, so that one is named as well."""
    found: list[str] = []
    for name, state, *_ in all_states(stack):
        if state["Type"] not in ("Task", "Map", "Parallel"):
            continue
        caught = {error for catcher in state.get("Catch", []) for error in catcher["ErrorEquals"]}
        missing = {"States.ALL", "States.DataLimitExceeded"} - caught
        found.extend(f"{name} does not catch {error}" for error in sorted(missing))
        if any("ResultPath" not in catcher for catcher in state.get("Catch", [])):
            found.append(f"{name}: an error takes the place of the whole state")
    return found


def failures_are_reported(stack: Stack) -> list[str]:
    """What is caught is published as an alert (at once, or after a step that writes it down), or
    fails the holding state, whose own catch
    publishes it, or becomes an outcome that is recorded."""
    found = []
    for workflow in stack.workflows.values():
        by_name = {name: state for name, state, *_ in states(workflow)}
        for name, state, neighbours, holder in states(workflow):
            for catcher in state.get("Catch", []):
                target = neighbours[catcher["Next"]]
                reported = _leads_to_alert(target, neighbours) or _is_outcome(target)
                if target["Type"] == "Fail":
                    # A branch hands its failure up; an alert that cannot be published ends the
                    # run, and the alarm on failed runs tells of it.
                    handed_up = holder is not None and bool(by_name[holder].get("Catch"))
                    reported = handed_up or _is_alert(state)
                if _is_alert(state) and catcher["Next"] == state.get("Next"):
                    reported = True
                if not reported:
                    found.append(f"{name}: {catcher['ErrorEquals'][0]} is told to nobody")
    return found


def trading_is_never_the_default(stack: Stack) -> list[str]:
    """Whatever the choice does not know, no order follows from it."""
    found = []
    for machine, workflow in stack.workflows.items():
        called = {task_function(state) for _, state in machine_tasks(workflow)}
        if "PlaceOrder" not in called:
            continue
        choice = workflow["States"]["Anything to send?"]
        if choice.get("Default") != "Do not trade":
            found.append(f"{machine}: the default is not: do not trade")
        reached = _reached_from(workflow, choice.get("Default", "Do not trade"))
        found.extend(
            f"{machine}: {name} sends orders, and the default leads to it"
            for name in reached
            if "PlaceOrder" in _called_by(workflow["States"][name])
        )
    return found


def reconciliation_validates_first(stack: Stack) -> list[str]:
    """Others than fetch_bars may start this machine, so its first step is one that loads and
    validates, inside the VPC, and unless it says yes nothing else is done."""
    workflow = stack.workflows["OrderReconciliation"]
    first = workflow["States"][workflow["StartAt"]]
    found = []
    if _called_by(first) != {"PlanReconciliation"}:
        found.append("OrderReconciliation does not begin with plan_reconciliation")
    choice = workflow["States"].get(first.get("Next"), {})
    if choice.get("Choices") != [
        {"Variable": "$.needed", "BooleanEquals": True, "Next": "Sync broker"}
    ]:
        found.append("OrderReconciliation goes on without having been told to")
    for name in _reached_from(workflow, choice.get("Default", "Sync broker")):
        if workflow["States"][name]["Type"] == "Task":
            found.append(f"OrderReconciliation: {name} is done although nothing is needed")
    for name, state in machine_tasks(workflow):
        if '"$$.Execution.Input"' in json.dumps(state):
            found.append(f"OrderReconciliation: {name} is handed what the starter said")
    return found


def backtests_run_what_was_requested(stack: Stack) -> list[str]:
    """The first step loads and validates, and without its word nothing runs. What a run is handed
    beyond the request's id and time is what the first step said. No more chunks at once than
    reserved concurrency has room for, every one of them has to succeed, and a run that hangs ends
    when the books say so."""
    workflow = stack.workflows["Backtest"]
    first = workflow["States"][workflow["StartAt"]]
    found = []
    if _called_by(first) != {"PlanBacktest"}:
        found.append("Backtest does not begin with plan_backtest")
    choice = workflow["States"].get(first.get("Next"), {})
    if choice.get("Choices") != [
        {"Variable": "$.needed", "BooleanEquals": True, "Next": "Run chunks"}
    ]:
        found.append("Backtest goes on without having been told to")
    for name in _reached_from(workflow, choice.get("Default", "Run chunks")):
        if workflow["States"][name]["Type"] in ("Task", "Map"):
            found.append(f"Backtest: {name} is done although nothing is needed")
    chunks = workflow["States"]["Run chunks"]
    reserved = stack.template["Parameters"]["BacktestConcurrency"]["Default"]
    if not 1 <= chunks.get("MaxConcurrency", 0) <= reserved:
        found.append("Backtest asks for more chunks at once than are reserved")
    if chunks.get("ToleratedFailureCount") != 0:
        found.append("Backtest ranks what is left of a sweep")
    if workflow.get("TimeoutSeconds") != LONGEST_RUN.total_seconds():
        found.append(f"Backtest may run for something else than {LONGEST_RUN}")
    return found


def orders_go_one_at_a_time(stack: Stack) -> list[str]:
    """Exits come first in the list, and must be done before an entry uses their money."""
    return [
        f"{name} sends {state.get('MaxConcurrency', 'any number of')} orders at once"
        for name, state, *_ in states(stack.workflow)
        if state["Type"] == "Map"
        and ORDER_TASK in state["ItemProcessor"]["States"]
        and state.get("MaxConcurrency") != 1
    ]


def _machine(stack: Stack, name: str) -> dict[str, Any]:
    return stack.of_type(MACHINE)[name]


def _called_by(state: State) -> set[str | None]:
    """The functions that a state calls, itself or in what it holds."""
    held = [inner for level in _inner(state) for inner in level["States"].values()]
    return {task_function(each) for each in [state, *held] if each["Type"] == "Task"}


def _reached_from(workflow: State, first: str) -> list[str]:
    """The states that can follow, this one included."""
    seen: list[str] = []
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.append(name)
        state = workflow["States"][name]
        waiting += [state[key] for key in ("Next", "Default") if key in state]
        waiting += [choice["Next"] for choice in state.get("Choices", [])]
    return seen


def _inner(state: State) -> list[State]:
    processor = [state["ItemProcessor"]] if "ItemProcessor" in state else []
    return [*state.get("Branches", []), *processor]


def _is_alert(state: State) -> bool:
    return state.get("Resource") == PUBLISH and state["Parameters"]["TopicArn"] == "${AlertsTopic}"


def _leads_to_alert(state: State, neighbours: dict[str, State]) -> bool:
    """An alert, or a step after which there is one however it ends."""
    if _is_alert(state):
        return True
    following = [state.get("Next"), *(catcher["Next"] for catcher in state.get("Catch", []))]
    return state["Type"] == "Task" and all(
        name is not None and _is_alert(neighbours[name]) for name in following
    )


def _is_outcome(state: State) -> bool:
    return state["Type"] == "Pass" and "unknown" in state.get("Parameters", {}).values()


RULES = (
    names_are_words,
    substitutions_are_defined,
    tasks_call_versions,
    runs_keep_their_versions,
    role_covers_every_task,
    tasks_end_in_time,
    retries_are_named_and_few,
    failures_are_caught,
    failures_are_reported,
    trading_is_never_the_default,
    reconciliation_validates_first,
    backtests_run_what_was_requested,
    orders_go_one_at_a_time,
)
