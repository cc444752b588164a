"""Inside the child process: take an assignment, run its step, give back the outcome."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ingest.context import StepContext
from ingest.document import Assignment, Facts, Outcome
from ingest.settings import in_child
from ingest.store import open_store
from workers import STEPS

ASSIGNMENT = TypeAdapter(Assignment)
OUTCOME = TypeAdapter(Outcome)


def prepare(setup: Facts) -> Callable[[Facts], Facts]:
    """Open the store and return the function that serves assignments.

    Args:
        setup: `{"settings": Settings.for_children()}`.
    """
    settings = in_child(setup["settings"])
    store = open_store(settings)

    def serve(request: Facts) -> Facts:
        assignment = ASSIGNMENT.validate_python(request["assignment"])
        context = StepContext(
            store=store,
            tenant=assignment.tenant,
            workspace=Path(request["workspace"]),
            settings=settings,
        )
        try:
            outcome = _step(assignment)(assignment, context)
        finally:
            context.close()
        plain: dict[str, Any] = OUTCOME.dump_python(outcome, mode="json")
        return plain

    return serve


def _step(assignment: Assignment) -> Callable[[Assignment, StepContext], Outcome]:
    module, _, name = STEPS[assignment.step].partition(":")
    function: Callable[[Assignment, StepContext], Outcome] = getattr(
        importlib.import_module(module), name
    )
    return function
