"""Do the pages of a stack make the stack that its closing says? Nothing is taken on trust."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ingest.document import Facts
from ingest.ledger import stacks
from ingest.ledger.reserved import BACK_MISSING
from scanners.device import Feed, PageFacts, place_of
from scanners.stack import Closing, LeaseLost, ManifestDisagrees, Opening

_SIDES: Final = MappingProxyType({"front": "Vorderseite", "back": "Rückseite"})
#: A source may give the resolution of the image itself, which is rounded.
_ROUNDED_DPI: Final = 1
_NAMED: Final = 5


def require_agreement(row: stacks.Row, pages: stacks.Rows, closing: Closing) -> None:
    """Refuse a closing whose counts or places its pages do not bear out.

    Args:
        row: Of the stack, still open.
        pages: Those that count, by number; the same as `closing` names.
        closing: As the station said it.

    Raises:
        StackRefused: `manifest_disagrees`; the text names what, and the stack stays open.
    """
    opening = Opening.from_json(row.said)
    facts = [PageFacts.from_json(page.facts) for page in pages]
    found = [*_gaps(facts), *_misplaced(opening, facts), *_otherwise_made(opening, facts)]
    sheets = len({each.sheet for each in facts})
    if closing.sheets != sheets:
        found.append(f"gemeldet sind {closing.sheets} Blätter, die Seiten ergeben {sheets}")
    if found:
        named = "; ".join(found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
        text = (
            f"Die Abschlussliste des Stapels {row.id} passt nicht zu seinen Seiten: {named}. Der "
            "Stapel bleibt offen. Bitte die genannten Blätter neu scannen oder den Stapel mit "
            "»erase« verwerfen und das Papier als neuen Stapel scannen."
        )
        message = f"stack {row.id} is not what its closing says: {len(found)} differences"
        raise stacks.StackRefused(message, operator_text=text, code=ManifestDisagrees.code)


def back_missing(opening: Opening, pages: stacks.Rows) -> Facts | None:
    """Return what is strange about a duplex stack that ends with a front; None where it does not.

    It is what was scanned, so the stack may end like this; but somebody has to know.
    """
    if opening.settings.feed is not Feed.DUPLEX or len(pages) % 2 == 0:
        return None
    sheet = len(pages) // 2 + 1
    text = f"Die letzte Rückseite fehlt: von Blatt {sheet} ist nur die Vorderseite da."
    return {"kind": BACK_MISSING, "sheet": sheet, "text": text}


def device_unheld(closing: Closing) -> Facts | None:
    """Return that a device was not the station's alone for the house; None where it was."""
    if not closing.unheld_at:
        return None
    text = (
        "Das Gerät war beim Scannen zeitweise nicht im Haus reserviert (ohne Verbindung oder zu "
        "lange ohne Lebenszeichen); ein anderer Platz kann es zugleich benutzt haben."
    )
    since = [at.isoformat() for at in closing.unheld_at]
    return {"kind": LeaseLost.code, "since": since, "text": text}


def _gaps(facts: list[PageFacts]) -> Iterator[str]:
    there = {each.number for each in facts}
    missing = sorted(set(range(1, max(there, default=0) + 1)) - there)
    if missing:
        named = ", ".join(map(str, missing[:_NAMED])) + (" …" if len(missing) > _NAMED else "")
        yield f"in der Zählung fehlen die Seiten {named}"


def _misplaced(opening: Opening, facts: list[PageFacts]) -> Iterator[str]:
    for each in facts:
        sheet, side = place_of(each.number, opening.settings.feed)
        if (each.sheet, each.side) != (sheet, side):
            said = _SIDES.get(each.side, "unbekannte Seite")
            yield (
                f"Seite {each.number} ist als Blatt {each.sheet}, {said} gemeldet, nach der "
                f"Zuführung ist sie Blatt {sheet}, {_SIDES[side]}"
            )


def _otherwise_made(opening: Opening, facts: list[PageFacts]) -> Iterator[str]:
    """Yield pages of another resolution or colour than was asked for and the device took."""
    asked = opening.settings
    made = opening.effective.get("dpi")
    taken = made.effective if made is not None and isinstance(made.effective, int | float) else 0
    for each in facts:
        if min(abs(each.dpi - asked.dpi), abs(each.dpi - taken)) > _ROUNDED_DPI:
            yield f"Seite {each.number} hat {each.dpi} dpi, verlangt waren {asked.dpi}"
        if each.mode != asked.mode:
            yield f"Seite {each.number} ist nicht in der verlangten Farbart ({asked.mode})"
