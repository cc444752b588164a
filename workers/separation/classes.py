"""Document classes: what a sheet says about the profile of the documents behind it.

A separator sheet or patch code can name another profile than the stack's. Cutting leaves that
name as the hint `profile` with a part; here the name becomes the profile's content as it is
now, so that the document keeps the rules under which it was taken in. Where a class does not
exist, is not released, or needs a date of receipt that nobody recorded, a person decides: a
document never goes on under other rules than its sheet asks for, unless somebody says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from ingest.context import StepContext
from ingest.document import Assignment, Facts, Part, ProfileChoice
from ingest.errors import ProfileInvalid, ReceivedDateMissing, Unclear
from profiles import LoadedProfile, load_released

#: The hint with which a part names its profile.
HINT: Final = "profile"


def with_classes(
    parts: Sequence[Part], omitted: Iterable[Facts], assignment: Assignment, context: StepContext
) -> tuple[Part, ...]:
    """Return `parts` with the profile that their hint names, loaded, in place of the hint.

    The stack's own name means the version that the stack was accepted with. A person may
    release the stack with `profile=stack`: then its profile holds for all, which each document
    concerned says as an anomaly.

    Args:
        parts: All documents of the stack, in order.
        omitted: What was left out, to name the sheet.
        assignment: Of the stack.
        context: Knows the house's profiles.

    Raises:
        Unclear: A class does not exist, is not released, or needs a person's release.
        ReceivedDateMissing: A class needs the date of receipt and nobody recorded it.

    Whether a replacing class is approved for the tenant is known to the ledger alone, which
    asks when it records the documents.
    """
    sheets = [int(e["page"]) for e in omitted if e["kind"] == "separator"]
    return tuple(_classed(part, _sheet_of(part, sheets), assignment, context) for part in parts)


def _sheet_of(part: Part, sheets: list[int]) -> int | None:
    """Return the page of the last sheet before the part, None where none lies before it."""
    first = min(part.pages, default=0)
    return max((page for page in sheets if page < first), default=None)


def _classed(part: Part, sheet: int | None, assignment: Assignment, context: StepContext) -> Part:
    hints = {key: value for key, value in part.hints.items() if key != HINT}
    name = str(part.hints.get(HINT) or assignment.profile["name"])
    if name == assignment.profile["name"]:
        return replace(part, hints=hints)
    where = "ein Trennblatt" if sheet is None else f"das Trennblatt auf Seite {sheet}"
    if assignment.released.get(HINT) == "stack":
        return replace(part, hints=_ignored(hints, name, sheet or min(part.pages, default=1)))
    try:
        loaded = load_released(name, context.settings.profiles)
    except ProfileInvalid as error:
        text = (
            f"„{assignment.batch.sources[0].name}“: {where} verlangt die Dokumentklasse „{name}“."
            f" {error.operator_text} Danach den Stapel freigeben; mit 'profile=stack' gilt statt"
            " dessen das Profil des Stapels."
        )
        message = f"class {name!r} cannot be used"
        raise Unclear(message, operator_text=text, code="profile_unknown") from error
    _require_release(loaded, where, assignment)
    hints |= _receipt(loaded, hints, where, assignment, context)
    choice = ProfileChoice(
        name=name,
        sha256=loaded.sha256,
        content=loaded.facts(),
        priority=int(loaded.profile.urgency),
    )
    return replace(part, hints=hints, profile=choice)


def _require_release(loaded: LoadedProfile, where: str, assignment: Assignment) -> None:
    """Hold the stack for a class that is worked with only after a person's release.

    Raises:
        Unclear: Nobody released the class.
    """
    if loaded.profile.treatment != "only_after_release":
        return
    if assignment.released.get(HINT) != "class":
        text = (
            f"„{assignment.batch.sources[0].name}“: {where} verlangt die Dokumentklasse"
            f" „{loaded.profile.name}“, die nur nach Freigabe bearbeitet wird. Bitte die"
            " Zustimmung der zuständigen Person einholen und mit 'profile=class' freigeben; mit"
            " 'profile=stack' gilt statt dessen das Profil des Stapels."
        )
        message = f"class {loaded.profile.name!r} needs a release"
        raise Unclear(message, operator_text=text, code="release_needed")


def _ignored(hints: Facts, name: str, page: int) -> Facts:
    text = f"Dokumentklasse „{name}“ des Trennblatts auf Entscheidung einer Person nicht beachtet"
    anomaly = {"code": "profile_ignored", "page": page, "text": text}
    return {**hints, "anomalies": [*hints.get("anomalies", ()), anomaly]}


def _receipt(
    loaded: LoadedProfile,
    hints: Facts,
    where: str,
    assignment: Assignment,
    context: StepContext,
) -> Facts:
    """Return the date of receipt that a person supplied because the class needs one."""
    known = hints.get("received_at") or assignment.batch.envelope.received_at
    if loaded.profile.intake.received_at != "required" or known is not None:
        return {}
    try:
        day = dt.date.fromisoformat(assignment.released.get("received_at", ""))
    except ValueError as error:
        text = (
            f"„{assignment.batch.sources[0].name}“: {where} verlangt die Dokumentklasse"
            f" „{loaded.profile.name}“; dafür fehlt das Eingangsdatum. Bitte vom Eingangsstempel"
            " ablesen und mit 'received_at=JJJJ-MM-TT' freigeben."
        )
        message = f"class {loaded.profile.name!r} needs a date of receipt"
        raise ReceivedDateMissing(message, operator_text=text) from error
    zone = ZoneInfo(context.settings.house.zone)
    received_at = dt.datetime.combine(day, dt.time.min, zone).isoformat()
    return {"received_at": received_at, "received_at_source": "operator"}
