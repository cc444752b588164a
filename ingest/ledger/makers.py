"""Who scanned a document: whoever has to be another person than its checker and its releaser."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.document import RESCANNED, SCANNED, Facts, Step


def scanned_by(operator: str | None, facts: Facts, stack: Facts) -> tuple[str | None, ...]:
    """Return the codes of all who scanned a document, each once.

    A code on a separator sheet stands beside the stack's, never in its place: whoever prints
    sheets must not be able to hide who scanned (BSI TR-03138 V1.5, A.AM.IN.SH.1).

    Args:
        operator: Of the batch; None where nobody named one, and then None is returned first.
        facts: Of the document.
        stack: Facts of the batch: others may have fed sheets of the same stack.
    """
    others = stack.get(SCANNED, {}).get("operators", ())
    return tuple(dict.fromkeys((operator, *map(str, others), *_named(facts))))


def _named(facts: Facts) -> Iterator[str]:
    if code := facts.get(Step.SEPARATION, {}).get("operator"):
        yield str(code)
    for name in (Step.SEPARATION, "quality"):
        for entry in facts.get(name, {}).get(RESCANNED, ()):
            if code := entry.get("by"):
                yield str(code)
