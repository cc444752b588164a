"""How a stack ends: as its station says, or by the house where that says nothing any more."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ingest import clock
from ingest.document import Facts, Queue, Source
from ingest.errors import UsageError
from ingest.intake import name_base64
from ingest.ledger import Arrival, Ledger, devices, openstacks, stacks
from ingest.ledger.persons import require_code
from ingest.store import Store
from scanners.device import Feed, PageFacts
from scanners.direct.arriving import Ended, arrival, manifest, seen_device
from scanners.stack import Closing, KnownPage, Opening

#: Kind of the anomaly, and why a stack with gaps is held.
CLOSED_BY_HOUSE: Final = "closed_by_house"
PAGES_MISSING: Final = "pages_missing"


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


def ended(
    ledger: Ledger, store: Store, tenant: str, key: str, closing: Closing, *anomalies: Facts
) -> Ended | None:
    """Return how a stack ends, its manifest kept; None where it ended before.

    Raises:
        StackRefused: `stack_unknown`.
    """
    with ledger.reading() as connection:
        row, pages = stacks.found(connection, tenant, key)
        if not row.said:
            return None
        device = seen_device(Opening.from_json(row.said).device, row.station)
        inventory = devices.inventory_of(connection, tenant, device.device)
        objection = devices.objection(connection, tenant, device)
    said = manifest(row, pages, closing, anomalies)
    content = json.dumps(said, ensure_ascii=False).encode()
    blob = store.put(tenant, io.BytesIO(content))
    name = f"{row.key}.json"
    kept = Source(
        ordinal=1,
        name=name,
        name_base64=name_base64(name),
        sha256=blob.sha256,
        size=blob.size,
    )
    return Ended(
        closing=closing,
        manifest=kept,
        inventory=inventory,
        objection=objection,
        anomalies=anomalies,
    )


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
        UsageError: No code, no reason, no such open stack, or it has no page; nothing changed.
        StackRefused: `manifest_disagrees`: a page came this moment; the stack stays open.
    """
    require_code(by, "Abschließen")
    if not reason.strip():
        text = "Abschließen: Es fehlt die Angabe --reason (Grund)."
        raise UsageError("closing needs a reason", operator_text=text)
    with ledger.reading() as connection:
        row, pages = next(openstacks.open_stacks(connection, beginning=id_), (None, []))
    if row is None or not pages:
        raise _nothing(id_, is_open=row is not None)
    known = tuple(
        KnownPage(number=page.number, attempt=page.attempt, sha256=page.sha256) for page in pages
    )
    closing = Closing(
        pages=known,
        sheets=len({PageFacts.from_json(page.facts).sheet for page in pages}),
        interruptions=(),
        closed_at=clock.now(),
        closed_by=by,
    )
    missing = _missing(Opening.from_json(row.said), [page.number for page in pages])
    held = _held(missing) if missing else None
    end = ended(ledger, store, row.tenant, row.key, closing, _anomaly(by, reason, missing))

    def build(stack: stacks.Row, all_pages: stacks.Rows, content: Facts) -> Arrival:
        if end is None:
            message = f"stack {id_} was closed and has no receipt"
            raise RuntimeError(message)
        return arrival(stack, all_pages, content, end, held)

    said = [(page.number, page.attempt, page.sha256) for page in known]
    with ledger.writing() as connection:
        stacks.close(connection, row.tenant, row.key, said, build)
    if hint is not None:
        hint(Queue.INSPECTION)
    return ByHouse(batch_id=row.id, pages=len(pages), missing=missing)


def _missing(opening: Opening, numbers: list[int]) -> tuple[int, ...]:
    """Return the gaps; in duplex the back of the last sheet is one too."""
    last = max(numbers)
    if opening.settings.feed is Feed.DUPLEX:
        last += last % 2
    return tuple(sorted(set(range(1, last + 1)) - set(numbers)))


def _named(missing: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, missing[:20]))}{' …' if len(missing) > 20 else ''}"  # noqa: PLR2004 - as many as a person reads


def _held(missing: tuple[int, ...]) -> tuple[str, str]:
    text = (
        f"Der Stapel wurde vom Haus abgeschlossen; es fehlen die Seiten {_named(missing)}. Bitte "
        "mit dem Papier vergleichen, dann freigeben oder zurückweisen und neu scannen."
    )
    return PAGES_MISSING, text


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
