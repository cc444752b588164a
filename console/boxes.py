"""Lists of paper by box: on a terminal, and as a page to print and take along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

from console.texts import local_time
from ingest.document import NOT_RECORDED, PAPER_NAMES, PaperStage

Entry = Mapping[str, Any]
TITLES: Final = MappingProxyType(
    {
        "pull": "Entnahmeliste: angeforderte Blätter",
        "destroy": "Vernichtungsliste: zur Vernichtung freigegebenes Papier",
        "stored": "Bestandsliste: abgelegtes Papier",
    }
)
_STYLE: Final = (
    "body{font:11pt sans-serif}table{border-collapse:collapse;width:100%}"
    "td,th{border:1px solid #000;padding:3pt;text-align:left;vertical-align:top}"
    "h2{break-before:auto}section{break-inside:avoid}.no{font-weight:bold}"
)


def lines(entries: Sequence[Entry], what: str, zone: str) -> Iterator[str]:
    """Yield a list as lines of text, box by box."""
    yield TITLES[what]
    if not entries:
        yield "(nichts)"
    for place, of_box in groupby(entries, key=lambda entry: entry["place"]):
        yield f"{place}:"
        for entry in of_box:
            yield f"  {entry['document'] or entry['batch']}  {_where(entry, zone)}"
            for text in entry.get("missing", ()):
                yield f"      DARF NICHT FORT: {text}"


def _where(entry: Entry, zone: str) -> str:
    if entry["loose_sheets"]:
        return f"Stapel vom {local_time(entry['registered_at'], zone)}, Blätter ohne Dokument"
    sheets = ", ".join(map(str, entry["sheets"])) or NOT_RECORDED
    name = entry["source_name"] or "gelöscht"
    return (
        f"Stapel {str(entry['batch'])[:13]} vom {local_time(entry['registered_at'], zone)}, "
        f"Dokument {entry['ordinal']}, Blatt {sheets}, Datei {name}"
    )


def page(entries: Sequence[Entry], what: str, zone: str) -> str:
    """Return a list as a whole HTML page without scripts, with room for hand and date."""
    parts = [
        '<!DOCTYPE html><html lang="de"><head><meta charset="utf-8">',
        f"<title>{escape(TITLES[what])}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(TITLES[what])}</h1>",
    ]
    for place, of_box in groupby(entries, key=lambda entry: entry["place"]):
        parts.append(f"<section><h2>{escape(str(place))}</h2><table>")
        parts.append(
            "<tr><th>Kennung</th><th>Wo im Karton</th><th>Stand</th><th>erledigt</th></tr>"
        )
        parts += [_row(entry, zone) for entry in of_box]
        parts.append("</table></section>")
    if not entries:
        parts.append("<p>Die Liste ist leer.</p>")
    parts.append("<p>Datum, Kürzel: ______________________</p></body></html>")
    return "\n".join(parts) + "\n"


def _row(entry: Entry, zone: str) -> str:
    lacking = " ".join(entry.get("missing", ()))
    stand = PAPER_NAMES[PaperStage(entry["stage"])]
    said = f'<span class="no">Darf nicht fort:</span> {escape(lacking)}' if lacking else stand
    cells = (escape(str(entry["document"] or entry["batch"])), escape(_where(entry, zone)), said)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "<td>☐</td></tr>"
