"""Do stage and standing of a row follow from the events of its chain? Part of `agreement`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import ENDS, BatchStage, Stage, Standing
from ingest.ledger.testimony import Testimony

Row = sa.Row[Any]
_FINAL: Final = frozenset({BatchStage.CLOSED, Stage.DELIVERED, Stage.ACKNOWLEDGED})


def compared(row: Row, heard: Testimony, *, at_work: bool) -> Iterator[str]:
    """Yield what the row of a batch or document says otherwise than its events, in German.

    Args:
        row: Of the batch or document.
        heard: What the events of its chain say.
        at_work: There is open work of it.
    """
    if row.standing not in set(Standing):
        yield f"Stand {row.standing}: gibt es nicht"
    if row.stage != heard.stage:
        yield f"Stufe: Eintrag {row.stage}, Kette {heard.stage}"
    if row.erased_at is not None and not heard.erased:
        yield "Der Eintrag ist als gelöscht gezeichnet, die Kette weiß davon nichts."
    if row.standing not in ENDS and not at_work:
        yield f"Stand {row.standing}: offen, aber ohne Arbeit; niemand führt es weiter"
    yield from _end(row, heard)
    if row.standing == Standing.REJECTED and not (heard.rejected or heard.erased):
        yield "Stand zurückgewiesen, aber niemand hat zurückgewiesen"
    if row.standing == Standing.SUPERSEDED and not (heard.erased or _superseded(row)):
        yield "Stand ersetzt, aber nichts hat es ersetzt"


def _end(row: Row, heard: Testimony) -> Iterator[str]:
    """Compare whether anything is left to do: a delivered document may owe a supplementary note."""
    if row.standing not in ENDS and row.stage in _FINAL and not heard.confirming:
        yield f"Stand {row.standing}, aber die Kette ist am Ende"
    if row.standing == Standing.DONE and heard.confirming:
        yield "Stand erledigt, aber ein Ergänzungsvermerk steht noch aus"
    if row.standing == Standing.DONE and row.stage not in _FINAL:
        yield f"Stand erledigt, aber die Kette endet bei {row.stage}"


def _superseded(row: Row) -> bool:
    return row._mapping.get("superseded_by") is not None  # noqa: SLF001 - SQLAlchemy's public name
