"""How the house ends a stack whose station says nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ingest import clock
from ingest.document import Facts, Queue
from ingest.errors import UsageError
from ingest.ledger import Arrival, Ledger, openstacks, stacks
from ingest.ledger.people import require_known
from ingest.ledger.persons import require_code
from ingest.ledger.reserved import PAGES_MISSING
from ingest.store import Store
from scanners.device import Feed, PageFacts
from scanners.direct.arriving import arrival
from scanners.direct.house import DirectHouse, Workplace
from scanners.stack import Closing, KnownPage, Opening

#: Kind of the anomaly.
CLOSED_BY_HOUSE: Final = "closed_by_house"


@dataclass(frozen=True, kw_only=True)
class ByHouse:
    """A stack that the house ended.

    Attributes:
        batch_id: What it became.
        pages: That it has.
        missing: Numbers of pages that never came, as far as gaps tell.
    """

    batch_id: str
    pages: int
    missing: tuple[int, ...]


def close_by_house(
    ledger: Ledger,
    store: Store,
    id_: str,
    *,
    by: str,
    reason: str,
    hint: Callable[[Queue], None] | None = None,
) -> ByHouse:
    """End an open stack with the pages that the ledger has, because its station cannot.

    It is received as any other, with who did it and why among its anomalies; held for a person
    where numbers are missing between its pages. Its key has ended then: a station that comes back
    has the same pages, or is refused.

    Args:
        ledger: Where it is.
        store: Where its manifest is kept.
        id_: Of the stack, whole.
        by: Code of who decides it.
        reason: Why.
        hint: Told that inspection has work; it must not raise.

    Raises:
        UsageError: No code or none of the house's, no reason, no such open stack, or it has no
            page; nothing changed.
        StackRefused: `manifest_disagrees`: a page came this moment; the stack stays open.
    """
    _require_reason("Abschließen", by, reason)
    row, pages = _open(ledger, id_, by)
    closing = _closing(pages, by)
    missing = _missing(Opening.from_json(row.said), [page.number for page in pages])
    end = DirectHouse(ledger, store, Workplace(tenant=row.tenant)).ended(row.key, closing)
    anomaly = _anomaly(by, reason, missing)

    def build(stack: stacks.Row, all_pages: stacks.Rows, content: Facts) -> Arrival:
        if end is None:
            message = f"stack {id_} was closed and has no receipt"
            raise RuntimeError(message)
        more = replace(end, anomalies=(*end.anomalies, anomaly))
        return _held(arrival(stack, all_pages, content, more), missing)

    said = [(page.number, page.attempt, page.sha256) for page in closing.pages]
    with ledger.writing() as connection:
        stacks.close(connection, row.tenant, row.key, said, build)
    if hint is not None:
        hint(Queue.INSPECTION)
    return ByHouse(batch_id=row.id, pages=len(pages), missing=missing)


def _open(ledger: Ledger, id_: str, by: str) -> tuple[stacks.Row, stacks.Rows]:
    with ledger.reading() as connection:
        row, pages = next(openstacks.open_stacks(connection, beginning=id_), (None, []))
        if row is not None:
            require_known(connection, row.tenant, by)
    if row is None or not pages:
        raise _nothing(id_, is_open=row is not None)
    return row, pages


def _closing(pages: stacks.Rows, by: str) -> Closing:
    return Closing(
        pages=tuple(
            KnownPage(number=page.number, attempt=page.attempt, sha256=page.sha256)
            for page in pages
        ),
        sheets=len({PageFacts.from_json(page.facts).sheet for page in pages}),
        interruptions=(),
        closed_at=clock.now(),
        closed_by=by,
    )


def _require_reason(act: str, by: str, reason: str) -> None:
    require_code(by, act)
    if not reason.strip():
        text = f"{act}: Es fehlt die Angabe --reason (Grund)."
        raise UsageError("there is no reason", operator_text=text)


def _missing(opening: Opening, numbers: list[int]) -> tuple[int, ...]:
    """Return the gaps; in duplex the back of the last sheet is one too."""
    last = max(numbers)
    if opening.settings.feed is Feed.DUPLEX:
        last += last % 2
    return tuple(sorted(set(range(1, last + 1)) - set(numbers)))


def _named(missing: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, missing[:20]))}{' …' if len(missing) > 20 else ''}"  # noqa: PLR2004 - as many as a person reads


def _held(received: Arrival, missing: tuple[int, ...]) -> Arrival:
    if not missing:
        return received
    known = "" if received.held is None else f"{received.held[1]} "
    code = PAGES_MISSING if received.held is None else received.held[0]
    text = (
        f"Der Stapel wurde vom Haus abgeschlossen; es fehlen die Seiten {_named(missing)}. Bitte "
        "mit dem Papier vergleichen: ist er so vollständig, gibt die Leitung der Scanstelle frei "
        "(»release«); sonst zurückweisen und neu scannen."
    )
    return replace(received, held=(code, known + text))


def _anomaly(by: str, reason: str, missing: tuple[int, ...]) -> Facts:
    gaps = f" Es fehlen die Seiten {_named(missing)}." if missing else ""
    text = f"Vom Haus abgeschlossen durch {by}, nicht vom Arbeitsplatz: {reason.strip()}.{gaps}"
    return {"kind": CLOSED_BY_HOUSE, "by": by, "missing": list(missing), "text": text}


def _nothing(id_: str, *, is_open: bool) -> UsageError:
    text = (
        f"Der Stapel {id_} hat keine Seite. Bitte mit »erase« verwerfen."
        if is_open
        else f"Einen offenen Stapel {id_} gibt es nicht. »list« nennt offene (Stufe „open“)."
    )
    return UsageError(f"nothing to close at {id_}", operator_text=text)
