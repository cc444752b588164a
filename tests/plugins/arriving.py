"""Files on their way through inspection: what a test hands in, and what was found."""

from __future__ import annotations

import io
from collections.abc import Callable

import pikepdf

from ingest.document import Facts, Outcome
from tests.plugins import papers

#: Inspects one file, given as bytes or by its path; options are those of a stack.
Arrive = Callable[..., Outcome]


def codes(outcome: Outcome) -> set[str]:
    return {finding["code"] for finding in outcome.sources[0].facts["findings"]}


def facts(outcome: Outcome) -> Facts:
    return outcome.sources[0].facts


def pdf_with(change: Callable[[pikepdf.Pdf], None]) -> bytes:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.pdf("Bescheid"))) as document:
        change(document)
        document.save(target)
    return target.getvalue()
