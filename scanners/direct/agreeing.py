"""Do the pages of a stack make the stack that its closing says? Nothing is taken on trust."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Final

from ingest.document import NOT_RECORDED
from ingest.ledger import stacks
from scanners.device import DeviceMark, PageFacts, place_of
from scanners.stack import Closing, ManifestDisagrees, Opening

_SIDES: Final = MappingProxyType({"front": "Vorderseite", "back": "Rückseite"})
#: A source may give the resolution of the image itself, which is rounded.
_ROUNDED_DPI: Final = 1
_NAMED: Final = 5


def require_own(row: stacks.Row, station: str | None) -> None:
    """Let a station touch no other's stack; None is the machine of the ledger itself.

    Raises:
        StackRefused: `stack_of_another`.
    """
    if row.station == station:
        return
    text = (
        f"Der Stapel {row.id} wurde an einem anderen Arbeitsplatz begonnen "
        f"({row.station or 'am Server selbst'}) und wird nur von dort übertragen. Bitte dort "
        "weiterarbeiten; heißt dieser Arbeitsplatz inzwischen anders, ihn wieder unter dem alten "
        "Kürzel verbinden lassen."
    )
    message = f"stack {row.id} is not of station {station}"
    raise stacks.StackRefused(message, operator_text=text, code="stack_of_another")


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
    found += of_another_device(opening, facts)
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


def of_another_device(opening: Opening, facts: Iterable[PageFacts]) -> Iterator[str]:
    """Yield in German each page that says that another device scanned it than the stack's.

    Pages of stations that do not name the device yet say nothing of it.
    """
    wanted = opening.device.mark
    for each in facts:
        if each.device is not None and not each.device.is_of(wanted):
            yield (
                f"Seite {each.number} (Blatt {each.sheet}) kommt vom Gerät {_named(each.device)}, "
                f"der Stapel von {_named(wanted)}"
            )


def _named(mark: DeviceMark) -> str:
    return f"{mark.driver}:{mark.serial or mark.id} (Firmware {mark.firmware or NOT_RECORDED})"


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
