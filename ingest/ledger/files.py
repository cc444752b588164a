"""Do the rows of files still say what the events say of them? Part of `agreement`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from ingest.document import Facts, SourceKind
from ingest.ledger.columns import clean_text

Row = sa.Row[Any]


def received(sources: Sequence[Row], told: Sequence[Facts]) -> Iterator[str]:
    """Yield what files that arrived are otherwise than `received` says, given in order."""
    if len(sources) != len(told):
        yield f"Dateien: {len(sources)} Einträge, Kette {len(told)}"
    for source, said in zip(sources, told, strict=False):
        if _named(source) != _told(source, said):
            yield f"Datei {source.ordinal} ({said['name']}): Eintrag ist nicht der angenommene"


def unseen(sources: Sequence[Row]) -> Iterator[str]:
    """Name what a row says of a file that nobody has inspected yet: nothing may be known of it."""
    for source in sources:
        if (source.kind, source.pages, source.facts) != (SourceKind.UNKNOWN, None, {}):
            yield f"Datei {source.ordinal}: Angaben, die keine Prüfung gemacht hat"


def enclosed(sources: Sequence[Row], entries: Sequence[Facts]) -> Iterator[str]:
    """Yield what files that lay inside others are otherwise than `inspected` says."""
    told = {entry["ordinal"]: entry for entry in entries}
    own = [source for source in sources if source.enclosure_of is not None]
    if {source.ordinal for source in own} != told.keys():
        yield f"Anlagen: {len(own)} Einträge, Kette {len(told)}"
        return
    for source in own:
        said = told[source.ordinal]
        found = (*_named(source), source.enclosure_of)
        if source.sha256 and found != (*_told(source, said), said["enclosure_of"]):
            yield f"Anlage {source.ordinal}: Eintrag ist nicht der herausgelöste"


def _named(source: Row) -> tuple[object, ...]:
    return (source.name, source.name_base64, source.sha256, source.size)


def _told(source: Row, said: Facts) -> tuple[object, ...]:
    """Return what an event says; those of before do not say how a name was spelt in bytes."""
    raw = said.get("name_base64", source.name_base64)
    return (clean_text(said["name"]), raw, said["sha256"], said["size"])
