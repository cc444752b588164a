"""Do the rows of what was scanned again still say what the events say? Part of `agreement`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import chains
from ingest.ledger.columns import clean_text
from ingest.ledger.surroundings import SeenPage

Row = sa.Row[Any]


def of_batch(
    sources: Sequence[Row], pages: Mapping[int, SeenPage], rescans: Mapping[int, Facts]
) -> Iterator[str]:
    """Yield what a batch's rows say otherwise than the events of its rescans.

    Args:
        sources: All of the batch.
        pages: All of the batch, by number.
        rescans: What the events say, by ordinal of the source.
    """
    own = {source.ordinal: source for source in sources if source.rescan_of is not None}
    if own.keys() != rescans.keys():
        yield f"Nachscans: {len(own)} Einträge, Kette {len(rescans)}"
        return
    for ordinal, source in own.items():
        said = rescans[ordinal]["source"]
        raw = said.get("name_base64", source.name_base64)
        told = (clean_text(said["name"]), raw, said["sha256"], said["size"], said["rescan_of"])
        found = (source.name, source.name_base64, source.sha256, source.size, source.rescan_of)
        if source.sha256 and (found, said["found_sha256"]) != (told, chains.source_digest(source)):
            yield f"Nachscan {ordinal}: Eintrag ist nicht der angenommene"
        for each in rescans[ordinal]["found"]:
            page = pages.get(each["page"])
            if page is None or (not page.blank and page.found != each["digest"]):
                yield f"Seite {each['page']}: nicht die, die neu gescannt wurde"
