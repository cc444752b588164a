"""`receive`: hand in files by command, one arrival each; the files stay where they are."""

from __future__ import annotations

import datetime as dt
import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import click

from console.texts import in_zone
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import operator_option
from ingest.document import ENDS, Standing, new_id
from ingest.errors import ScanstrasseError

_PERSON = frozenset({Standing.HELD, Standing.QUARANTINED})
_SETTLED = ENDS | _PERSON


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DATEI..."
)
@click.option("--profile", default="posteingang", show_default=True, help="Scanprofil.")
@click.option("--received-at", metavar="DATUM", help="Eingangsdatum JJJJ-MM-TT, auch mit Uhrzeit.")
@operator_option()
@click.option("--tenant", help="Mandant.")
@click.option("--wait", is_flag=True, help="Bis zum Ende warten; arbeitet selbst, wenn niemand da.")
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def receive(  # noqa: PLR0913 - one parameter per option of the command
    app: App,
    files: tuple[Path, ...],
    profile: str,
    received_at: str | None,
    operator: str | None,
    tenant: str | None,
    *,
    wait: bool,
    as_json: bool,
) -> int:
    """Nimmt Dateien an. Jede Datei ist eine Einlieferung; Eingang ist, wenn der Befehl endet.

    Rückgabewert 0: alles erledigt, 3: etwas braucht eine Person.
    """
    moment = None if received_at is None else _moment(received_at, app.settings.house.zone)
    _refuse_missing(files)
    name = app.tenant(tenant)
    batches: list[str] = []
    refused = 0
    for path in files:
        try:
            batch = _accept(app, path, name, profile, moment, operator)
        except ScanstrasseError:
            # What was received before stays received: whoever repeats the command must know.
            _report(app, batches, as_json=as_json, final=False)
            raise
        if batch is None:
            refused += 1
            _report_refusal(path, as_json=as_json)
        else:
            batches.append(batch)
    if wait:
        with _own_workers(app):
            _await_end(app, batches)
    return _report(app, batches, as_json=as_json, final=wait) or (3 if refused else 0)


def _moment(text: str, zone: str) -> dt.datetime:
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError as error:
        message = f"--received-at: „{text}“ ist kein Datum; bitte JJJJ-MM-TT angeben."
        raise click.UsageError(message) from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=ZoneInfo(zone))


def _refuse_missing(files: tuple[Path, ...]) -> None:
    for path in files:
        if path.is_symlink() or not path.is_file():
            message = f"{path}: keine gewöhnliche Datei; bitte eine vorhandene Datei angeben."
            raise click.UsageError(message)


def _accept(
    app: App,
    path: Path,
    tenant: str,
    profile: str,
    received_at: dt.datetime | None,
    operator: str | None,
) -> str | None:
    """Receive one file; None when its type is not accepted at all."""
    import profiles
    from ingest import intake
    from ingest.content import kind_of
    from ingest.document import Envelope, SourceKind

    size = path.stat().st_size
    if size and kind_of(path) is SourceKind.UNKNOWN:
        return None
    loaded = profiles.load_released(profile, app.settings.profiles)
    envelope = Envelope(
        profile=profile,
        channel="command",
        operator=operator,
        received_at=received_at,
        received_at_source=None if received_at is None else "operator",
    )
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


def _report_refusal(path: Path, *, as_json: bool) -> None:
    text = (
        f"{path.name}: Dateityp nicht erkannt, nicht angenommen. Bitte als PDF, TIFF, JPEG oder "
        "PNG liefern."
    )
    if as_json:
        print_json(
            {"message_type": "unaccepted", "source_name": path.name, "reason": text, "id": None}
        )
    else:
        click.echo(text, err=True)


@contextmanager
def _own_workers(app: App) -> Iterator[None]:
    """Work in this process if no worker of this installation lives."""
    from workers.executor import Executor, standard_lanes

    with worker_lock(app.settings.data, exclusive=True) as free:
        if free is None:
            yield
            return
        _prepare_key(app)
        executor = Executor(app.settings, app.ledger, standard_lanes(app.settings))
        executor.start()
        try:
            yield
        finally:
            executor.stop()


def _prepare_key(app: App) -> None:
    from workers.sealing import ensure_installation_key

    ensure_installation_key(app.settings.keys)


@contextmanager
def worker_lock(folder: Path, *, exclusive: bool) -> Iterator[IO[bytes] | None]:
    """Hold the sign that workers live here: shared by workers, exclusive to ask.

    Yields:
        The lock, or None when `exclusive` was wanted and workers live.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    with (folder / ".workers.lock").open("ab") as lock:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if not exclusive:
                fcntl.flock(lock, kind)
                yield lock
            else:
                yield None
        else:
            yield lock


def _await_end(app: App, batches: list[str]) -> None:
    waiting = set(batches)
    while waiting:
        for batch in list(waiting):
            if all(row["standing"] in _SETTLED for row in _rows(app, batch)):
                waiting.discard(batch)
        if waiting:
            time.sleep(0.2)


def _rows(app: App, batch: str) -> list[dict[str, Any]]:
    from ingest.ledger.extracts import rows_of

    with app.ledger.reading() as connection:
        return list(rows_of(connection, batch))


def _report(app: App, batches: list[str], *, as_json: bool, final: bool) -> int:
    needs_person = False
    for batch in batches:
        for row in _rows(app, batch):
            needs_person |= row["standing"] in _PERSON
            if as_json:
                print_json(in_zone(row, app.settings.house.zone))
            else:
                click.echo(_line(row))
    return 3 if final and needs_person else 0


def _line(row: dict[str, Any]) -> str:
    reason = f" – {row['reason']}" if row.get("reason") else ""
    label = row.get("source_name") or row["id"]
    return f"{label}  {row['message_type']}  {row['stage']}/{row['standing']}{reason}"
