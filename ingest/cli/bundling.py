"""`evidence`: everything that proves a document, for whoever has nothing of this system."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.app import App, print_json, with_app


@click.command()
@click.argument("identifier", metavar="ID")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Ordner, der angelegt wird, oder mit --zip die Datei; nichts wird überschrieben.",
)
@click.option("--zip", "archive", is_flag=True, help="Eine ZIP-Datei statt eines Ordners.")
@click.option(
    "--seal",
    type=click.Choice(["installation", "organisation", "none"]),
    help="Wer die Dateiliste unterschreibt (Vorgabe: wer das Dokument gesichert hat; gelöschte und"
    " nicht gesicherte die Organisation, wo ihr Schlüssel eingerichtet ist).",
)
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Paket.")
@with_app
def evidence(
    app: App, identifier: str, output: Path, *, archive: bool, seal: str | None, as_json: bool
) -> int:
    """Schreibt das Beweispaket eines Dokuments oder die aller Dokumente eines Stapels."""
    from workers.evidence.bundle import write

    written = write(
        identifier,
        output,
        settings=app.settings,
        ledger=app.ledger,
        store=app.store,
        archive=archive,
        seal=seal,  # type: ignore[arg-type] # click.Choice
    )
    for one in written:
        if as_json:
            print_json(
                {
                    "message_type": "bundle",
                    "document": one.document,
                    "batch": one.batch,
                    "path": str(output),
                    "folder": one.folder,
                    "erased": one.erased,
                    "files": list(one.files),
                    "manifest_sha256": one.manifest_sha256,
                    "absent": list(one.absent),
                    "signer_sha256": one.signer_sha256,
                }
            )
            continue
        click.echo(f"{output}/{one.folder}: {len(one.files)} Dateien.")
        for absent in one.absent:
            click.echo(f"  nicht enthalten: {absent['part']}: {absent['reason']}")
        if not one.is_sealers:
            click.echo(
                "  Achtung: nicht mit dem Zertifikat unterschrieben, mit dem das Dokument gesichert"
                f" wurde. Empfänger prüfen mit „pruefen.py --signer {one.signer_sha256}“; diese "
                "Prüfsumme bitte auf anderem Weg mitteilen."
            )
    if not as_json:
        click.echo("Prüfen: im Ordner des Pakets „python3 pruefen.py“, siehe LIESMICH.html.")
    return 0
