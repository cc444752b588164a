"""Open stacks as people read them: in one list with the batches that they will become."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import BatchStage, Facts, Standing
from ingest.errors import UsageError
from ingest.ledger import schema
from ingest.ledger.stacks import IS_OPEN, counting, pages_of

Row = sa.Row[Any]
_stack = schema.stack

#: The channel of what was scanned here.
SCANNER: Final = "scanner"
_ENDINGS: Final = MappingProxyType(
    {
        "image/tiff": ".tif",
        "image/jpeg": ".jpg",
        "image/png": ".png",
        "application/pdf": ".pdf",
    }
)


def open_stacks(
    connection: sa.Connection, tenant: str | None = None, beginning: str = ""
) -> Iterator[tuple[Row, list[Row]]]:
    """Yield the open stacks whose id begins so, oldest first, each with the pages that count."""
    query = sa.select(_stack).where(IS_OPEN, _stack.c.id.startswith(beginning))
    if tenant is not None:
        query = query.where(_stack.c.tenant == tenant)
    for row in connection.execute(query.order_by(_stack.c.id)).all():
        yield row, counting(pages_of(connection, row.id))


def beginning_so(connection: sa.Connection, beginning: str) -> list[str]:
    """Return the ids of open stacks that begin so."""
    near = sa.and_(_stack.c.id >= beginning, _stack.c.id <= beginning + "g")
    query = sa.select(_stack.c.id).where(IS_OPEN, near, _stack.c.id.startswith(beginning))
    return list(connection.execute(query.order_by(_stack.c.id)).scalars())


def refusal(id_: str) -> UsageError:
    """Return what is said where something is asked of a stack that no stack can do yet."""
    text = (
        f"Der Stapel {id_} wird noch gescannt; das geht erst, wenn er abgeschlossen ist. Weitere "
        f"Blätter: »scan --append {id_}«; abschließen: »scan --close {id_}«; verwerfen: »erase "
        f"{id_}«. Ansehen und nachrechnen geht schon: »show {id_}«, »verify {id_}«."
    )
    return UsageError(f"stack {id_} is still scanned", operator_text=text)


def described(connection: sa.Connection, id_: str) -> Facts | None:
    """Return everything about a stack that is still scanned; None where the id is none's."""
    record = next(records(connection, beginning=id_), None)
    if record is None:
        return None
    row, pages = next(open_stacks(connection, beginning=id_))
    said = [
        {"number": page.number, "attempt": page.attempt, "sha256": page.sha256, **page.facts}
        for page in pages
    ]
    return {**record, "said": row.said, "anomalies": row.anomalies, "stack_pages": said}


def records(
    connection: sa.Connection, tenant: str | None = None, beginning: str = ""
) -> Iterator[Facts]:
    """Yield the record of each open stack, as a listing shows it among the batches."""
    for row, pages in open_stacks(connection, tenant, beginning):
        yield {
            "message_type": "batch",
            "id": row.id,
            "batch": row.id,
            "tenant": row.tenant,
            "source_name": None,
            "sha256": None,
            "stage": BatchStage.OPEN.value,
            "standing": Standing.WAITING.value,
            "reason_code": "scanning",
            "reason": _reason(row, pages),
            "erased_at": None,
            "profile": row.profile,
            "channel": SCANNER,
            "operator": row.operator,
            "received_at": row.said.get("received_at"),
            "received_at_source": None,
            "registered_at": row.opened_at.isoformat(),
            "pages": len(pages),
            "source_pages": list(range(1, len(pages) + 1)),
            "progress": {"pages_done": 0, "pages": len(pages)},
            "sources": [
                {"name": name_of(page), "sha256": page.sha256, "pages": 1} for page in pages
            ],
            "enclosures": [],
            "rescans": [],
            "omitted": [],
            "outputs": {},
            "station": row.station,
            "device": row.device,
            "changed_at": row.changed_at.isoformat(),
        }


def _reason(row: Row, pages: list[Row]) -> str:
    whole = _whole(row, pages)
    until = f"vollständig bis Blatt {whole}" if whole else "noch kein Blatt vollständig"
    return (
        f"Der Stapel wird gescannt: {len(pages)} Seiten sind angekommen, {until}; der Abschluss "
        "fehlt noch."
    )


def _whole(row: Row, pages: list[Row]) -> int:
    """Return after how many sheets, from the first on, all sides are there."""
    duplex = row.said.get("settings", {}).get("feed") == "duplex"
    numbers, sheet, sides = {page.number for page in pages}, 0, 2 if duplex else 1
    while all(sheet * sides + side in numbers for side in range(1, sides + 1)):
        sheet += 1
    return sheet


def name_of(page: Row) -> str:
    """Return what a page is called among the sources of its batch."""
    return f"{page.number:06d}{_ENDINGS.get(page.media_type, '.bin')}"
