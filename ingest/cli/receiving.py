"""`receive`: hand in files by command, one arrival each; the files stay where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.texts import in_zone
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import operator_option, received_moment
from ingest.cli.waiting import await_end, needs_person, rows_of_batch
from ingest.document import Envelope, Sides, new_id
from ingest.errors import ScanstrasseError

_COUNT = click.IntRange(min=0, max=1_000_000)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DATEI..."
)
@click.option("--profile", default="posteingang", show_default=True, help="Scanprofil.")
@click.option("--received-at", metavar="DATUM", help="Eingangsdatum JJJJ-MM-TT, auch mit Uhrzeit.")
@operator_option()
@click.option("--expected-sheets", type=_COUNT, metavar="ZAHL", help="Gezählte Blätter je Datei.")
@click.option(
    "--expected-consignments", type=_COUNT, metavar="ZAHL", help="Gezählte Sendungen je Datei."
)
@click.option(
    "--sides",
    type=click.Choice([side.value for side in Sides]),
    help="Wie die Blätter gescannt sind; ohne Angabe gilt das Profil.",
)
@click.option("--tenant", help="Mandant.")
@click.option("--wait", is_flag=True, help="Bis zum Ende warten; arbeitet selbst, wenn niemand da.")
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def receive(  # noqa: PLR0913 - one parameter per option of the command
    app: App,
    files: tuple[Path, ...],
    *,
    profile: str,
    received_at: str | None,
    operator: str | None,
    expected_sheets: int | None,
    expected_consignments: int | None,
    sides: str | None,
    tenant: str | None,
    wait: bool,
    as_json: bool,
) -> int:
    """Nimmt Dateien an. Jede Datei ist eine Einlieferung; Eingang ist, wenn der Befehl endet.

    Rückgabewert 0: alles erledigt, 3: etwas braucht eine Person.
    """
    moment = None if received_at is None else received_moment(received_at, app.settings.house.zone)
    _refuse_missing(files)
    name = app.tenant(tenant)
    envelope = Envelope(
        profile=profile,
        channel="command",
        operator=operator,
        received_at=moment,
        received_at_source=None if moment is None else "operator",
        expected_sheets=expected_sheets,
        expected_consignments=expected_consignments,
        sides=None if sides is None else Sides(sides),
    )
    batches: list[str] = []
    refused = 0
    for path in files:
        try:
            batch = _accept(app, path, name, envelope)
        except ScanstrasseError:
            # What was received before stays received: whoever repeats the command must know.
            _report(app, batches, as_json=as_json, final=False)
            raise
        if batch is None:
            refused += 1
            _report_refusal(path, name, as_json=as_json)
        else:
            batches.append(batch)
    if wait:
        await_end(app, batches)
    return _report(app, batches, as_json=as_json, final=wait) or (3 if refused else 0)


def _refuse_missing(files: tuple[Path, ...]) -> None:
    for path in files:
        if path.is_symlink() or not path.is_file():
            message = f"{path}: keine gewöhnliche Datei; bitte eine vorhandene Datei angeben."
            raise click.UsageError(message)


def _accept(app: App, path: Path, tenant: str, envelope: Envelope) -> str | None:
    """Receive one file; None when its type is not accepted at all."""
    import profiles
    from ingest import intake
    from ingest.content import kind_of
    from ingest.document import SourceKind

    size = path.stat().st_size
    if size and kind_of(path) is SourceKind.UNKNOWN:
        return None
    loaded = profiles.load_released(envelope.profile, app.settings.profiles)
    receipt = intake.receive_files(
        app.ledger,
        app.store,
        tenant=tenant,
        receipt_key=new_id(),
        envelope=envelope,
        loaded=loaded,
        paths=[path],
    )
    return receipt.batch_id


def _report_refusal(path: Path, tenant: str, *, as_json: bool) -> None:
    text = (
        f"{path.name}: Dateityp nicht erkannt, nicht angenommen. Bitte als PDF, TIFF, JPEG oder "
        "PNG liefern."
    )
    if as_json:
        from ingest.intake import display_name, name_base64
        from ingest.ledger.inboxes import unaccepted_record

        print_json(
            unaccepted_record(
                tenant=tenant,
                source_name=display_name(path.name),
                name_base64=name_base64(path.name),
                reason_code="unknown_type",
                reason=text,
            )
        )
    else:
        click.echo(text, err=True)


def _report(app: App, batches: list[str], *, as_json: bool, final: bool) -> int:
    owed = False
    for batch in batches:
        for row in rows_of_batch(app, batch):
            owed |= needs_person(row)
            if as_json:
                print_json(in_zone(row, app.settings.house.zone))
            else:
                click.echo(_line(row))
    return 3 if final and owed else 0


def _line(row: dict[str, Any]) -> str:
    reason = f" – {row['reason']}" if row.get("reason") else ""
    label = row.get("source_name") or row["id"]
    return f"{label}  {row['message_type']}  {row['stage']}/{row['standing']}{reason}"
