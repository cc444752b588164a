"""What inspection said about a file's signatures, read from the file's facts."""

from __future__ import annotations

from typing import Final

from ingest.document.terms import Facts

#: Under this name a source's facts say what was found about its signatures.
VALIDATION: Final = "validation"


def signatures(facts: Facts) -> list[Facts]:
    """Return what was found about each signature of a source: its own, then those beside it."""
    told = facts.get(VALIDATION, {})
    found: list[Facts] = list(told.get("signatures", []))
    for beside in told.get("beside", []):
        found += beside["signatures"]
    return found


def reasons_to_look(facts: Facts) -> list[str]:
    """Return why a person must look at the signatures of a source; German sentences."""
    told = facts.get(VALIDATION, {})
    own = [told["text"]] if told.get("look") else []
    return own + [beside["text"] for beside in told.get("beside", []) if beside["look"]]


def report_sha256(facts: Facts) -> str | None:
    """Return the digest of the validation report of a source, None where there is none."""
    found: str | None = facts.get(VALIDATION, {}).get("report_sha256")
    return found
