"""Into which document a page goes that a person puts back, and to which place in it."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, Standing
from ingest.errors import UsageError

Row = sa.Row[Any]

#: Nothing is put into these any more.
_OVER: Final = frozenset({Standing.REJECTED, Standing.SUPERSEDED})


def chosen(
    documents: Sequence[Row], page: int, omitted: Sequence[Facts], wanted: str | None
) -> Row:
    """Return the document that takes `page`.

    Args:
        documents: All revisions of all documents of the batch.
        page: An arrival page number that no document has.
        omitted: What the batch leaves out.
        wanted: Id of the document a person named, None to find it: the one beside which
            separation recorded it (a separator sheet only in an interleaved stack, where
            numbers tell nothing), or whose pages lie around the page, or before it with no
            separator sheet between, or the only neighbour there is.

    Raises:
        UsageError: The named one cannot take it, or there are several; the text names them.
    """
    able = [row for row in documents if _is_open_to_pages(row)]
    if wanted is not None:
        return _named(documents, able, wanted)
    entry: Facts = next((each for each in omitted if each["page"] == page), {})
    if entry.get("kind") != "separator" or "after" in entry:
        recorded = [row for row in able if row.ordinal == entry.get("document")]
        if recorded:
            return max(recorded, key=lambda row: int(row.revision))
    around = [row for row in able if min(row.pages) < page < max(row.pages)]
    if len(around) == 1:
        return around[0]
    neighbours = around or _neighbours(able, page)
    if not neighbours:
        text = f"Zu Seite {page} gibt es kein Dokument, das sie aufnehmen könnte."
        raise UsageError(f"no document takes page {page}", operator_text=text)
    first = neighbours[0]
    sheets = {entry["page"] for entry in omitted if entry["kind"] == "separator"}
    behind = max(first.pages) < page and not sheets & set(range(max(first.pages), page + 1))
    if len(neighbours) == 1 or (not around and behind):
        return first
    names = ", ".join(f"{row.id} (Seiten {min(row.pages)}–{max(row.pages)})" for row in neighbours)
    text = f"Seite {page} kann zu mehreren Dokumenten gehören. Bitte --document angeben: {names}."
    raise UsageError(f"page {page} fits several documents", operator_text=text)


def _is_open_to_pages(row: Row) -> bool:
    return row.erased_at is None and row.standing not in _OVER and bool(row.pages)


def _neighbours(able: Sequence[Row], page: int) -> list[Row]:
    """Return the last document before the page and the first one after it."""
    before = [row for row in able if max(row.pages) < page]
    after = [row for row in able if min(row.pages) > page]
    last = max(before, key=lambda row: max(row.pages), default=None)
    first = min(after, key=lambda row: min(row.pages), default=None)
    return [row for row in (last, first) if row is not None]


def _named(documents: Sequence[Row], able: Sequence[Row], wanted: str) -> Row:
    for row in able:
        if row.id == wanted:
            return row
    known = next((row for row in documents if row.id == wanted), None)
    if known is None:
        text = f"{wanted} ist kein Dokument dieser Einlieferung. Bitte mit »list« nachsehen."
    elif known.superseded_by is not None:
        text = (
            f"Dokument {wanted} ist schon ersetzt durch {known.superseded_by}. Bitte dessen Stand "
            "ansehen und, wenn nötig, dort wiederholen."
        )
    elif not known.pages:
        text = f"Dokument {wanted} wurde unverändert ohne Seiten zugestellt und nimmt keine auf."
    else:
        text = f"Dokument {wanted} ist gelöscht oder zurückgewiesen und nimmt keine Seite auf."
    raise UsageError(f"document {wanted} takes no page", operator_text=text)


def placed(pages: Sequence[int], page: int, entry: Facts) -> list[int]:
    """Return `pages` in reading order with `page` among them.

    Pages that lie as they arrived take it at its number. Where the order is another one
    (reversed backs), what was left out says after which page it lay (`after`, 0: before the
    first) and what else was left out in between (`between`, nearest first), which may be back.
    Where nothing is said, the page goes before the first one with a higher number.
    """
    before = [*entry.get("between", ()), entry.get("after")]
    known = next((number for number in before if number in pages), None)
    if known is not None:
        at = pages.index(known) + 1
    elif entry.get("after") == 0:
        at = 0
    elif list(pages) == sorted(pages):
        at = bisect(pages, page)
    else:
        at = next((place for place, other in enumerate(pages) if other > page), len(pages))
    return [*pages[:at], page, *pages[at:]]
