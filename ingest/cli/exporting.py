"""`export`: one result of a document, or what arrived, into a file of its own."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from ingest.cli.app import App, with_app

#: What is put together on the way out, and who does it, called with application, id and output.
_WRITERS: Final = MappingProxyType(
    {
        "alto": "ingest.cli.layouts:write_alto",
        "erasure": "ingest.cli.deleting:write_deletion",
        "evidence": "ingest.cli.evidencing:write_record",
        "note-html": "ingest.cli.layouts:write_note",
        "receipt-evidence": "ingest.cli.attesting:write_receipt_record",
    }
)
#: Of a single file of a stack; the writer takes its number too.
_OF_SOURCES: Final = frozenset({"receipt-evidence"})
#: What lies in the store as it is.
_KEPT: Final = (
    "pdf",
    "composed",
    "original",
    "note",
    "text",
    "manifest",
    "supplement",
    "supplement_seal",
)


@click.command()
@click.argument("identifier", metavar="ID")
@click.option(
    "--what",
    type=click.Choice([*_KEPT, "validation", *_WRITERS]),
    default="pdf",
    show_default=True,
    help=(
        "Welche Ausgabe; composed: die PDF, die »qa verdict« beurteilt; note-html: Vermerk zum"
        " Lesen; alto: erkannte Wörter mit Ort; evidence: Beweisnachweis nach RFC 4998;"
        " receipt-evidence: der des Eingangs; erasure: Löschprotokoll (JSON, bei Endung .html als"
        " Seite); validation: Prüfbericht über Signaturen des"
        " Originals (ETSI TS 119 102-2); supplement, supplement_seal: Ergänzungsvermerk nach dem"
        " Ergebnis der Sachbearbeitung und sein Siegel."
    ),
)
@click.option(
    "--source",
    type=click.IntRange(min=1),
    metavar="N",
    help="Welche Datei eines Stapels (ab 1), mit --what original, receipt-evidence, validation.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Zieldatei; eine vorhandene wird nicht überschrieben.",
)
@with_app
def export(app: App, identifier: str, what: str, source: int | None, output: Path) -> int:
    """Schreibt eine Ausgabe eines Dokuments oder ein Original in eine Datei."""
    if output.exists():
        message = f"{output} gibt es schon; bitte einen anderen Namen angeben."
        raise click.UsageError(message)
    if what in _WRITERS:
        module, _, name = _WRITERS[what].partition(":")
        write = getattr(importlib.import_module(module), name)
        write(app, identifier, *((source, output) if what in _OF_SOURCES else (output,)))
        click.echo(f"{output} geschrieben.")
        return 0
    from ingest.ledger.reports import locate_report
    from ingest.ledger.showing import locate

    with app.ledger.reading() as connection:
        if what == "validation":
            found = locate_report(connection, identifier, source)
        else:
            found = locate(connection, identifier, what, source)  # type: ignore[arg-type]  # click.Choice
    with app.store.open(found.tenant, found.sha256) as stream, output.open("xb") as target:
        shutil.copyfileobj(stream, target)
    click.echo(f"{output} geschrieben, SHA-256 {found.sha256}.")
    return 0
