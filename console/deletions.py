"""The deletion record as a page that people read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from console.texts import KINDS, local_time
from ingest.document import NOT_RECORDED, PAPER_NAMES, PaperStage

Record = Mapping[str, Any]


def page(record: Record, zone: str) -> str:
    """Return a deletion record as a whole HTML page without scripts; the data stands in it too."""
    kind = KINDS.get(record["kind"], record["kind"])
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>"
        for name, text in _said(record, zone)
    )
    whole = json.dumps(record, ensure_ascii=False, indent=2, sort_keys=True)
    return (
        '<!DOCTYPE html><html lang="de"><head><meta charset="utf-8">'
        "<title>Löschprotokoll</title><style>body{font:11pt sans-serif}"
        "th{text-align:left;vertical-align:top;padding-right:1em}</style></head><body>\n"
        f"<h1>Löschprotokoll</h1>\n<p>{escape(kind)} {escape(record['id'])}</p>\n"
        f"<table>{rows}</table>\n<h2>Daten</h2>\n<pre>{escape(whole)}</pre>\n</body></html>\n"
    )


def _said(record: Record, zone: str) -> Iterator[tuple[str, str]]:
    said = record["record"]
    removed = said.get("removed", {})
    yield "Gelöscht am", local_time(record["erased_at"], zone)
    yield "Gelöscht durch (Kürzel)", record["erased_by"]
    yield "Grund", said["reason"]
    objects = (f"{count} × {kind}" for kind, count in removed.get("objects", {}).items())
    yield "Objekte", ", ".join(objects) or NOT_RECORDED
    store = removed.get("store", {})
    yield "Aus der Ablage entfernt", str(store.get("removed", NOT_RECORDED))
    yield "In der Ablage noch für andere", str(store.get("shared", NOT_RECORDED))
    yield "Ereignisse, deren Inhalt entfernt ist", str(removed.get("events", NOT_RECORDED))
    yield "Aus dem Ausgang entfernt", str(said.get("withdrawn", NOT_RECORDED))
    yield "Beim Empfänger zu löschen", str(said.get("taken", NOT_RECORDED))
    yield "Verändert vorgefunden, nicht entfernt", str(said.get("altered", NOT_RECORDED))
    for kind, digests in said.get("digests", {}).items():
        yield f"Prüfsumme {kind} (gesalzen)", " ".join(digests)
    yield "Regel der Prüfsumme", record["digest_rule"]
    for unit in record["paper"]:
        where = unit["place"] or NOT_RECORDED
        yield f"Papier {unit['ordinal']}", f"{PAPER_NAMES[PaperStage(unit['stage'])]}; {where}"
