"""`run` and its parts: channels, workers, and the progress that people watch."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click
import structlog

from ingest.cli import usage
from ingest.cli.app import App, configure_logs, with_app
from ingest.cli.proving import require_ready
from ingest.cli.scanning import house_of, scan_sample, scanning_home
from ingest.cli.serving import hints, start_upload
from ingest.cli.stopping import stopping
from ingest.cli.waiting import living_workers
from ingest.document import Queue

if TYPE_CHECKING:
    from scanners.stack.transmission import Carriage

log = structlog.get_logger(__name__)


@click.command()
@click.option("--samples", is_flag=True, help="Erzeugt Musterbriefe und legt sie in den Eingang.")
@click.option("--until-idle", is_flag=True, help="Endet, wenn alles zugestellt oder offen ist.")
@click.option("--json", "as_json", is_flag=True, help="Fortschritt als JSON-Zeilen.")
@with_app
def run(app: App, *, samples: bool, until_idle: bool, as_json: bool) -> int:
    """Startet alles auf dieser Maschine: Eingangsordner, Verarbeitung, Zustellung."""
    from console.progress import follow
    from workers.executor import Executor, standard_lanes

    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        _log_to_file(app, stack)
        require_ready(app, stop)
        usage.begun(app)
        stack.enter_context(living_workers(app.settings.data, stop))
        executor = Executor(app.settings, app.ledger, standard_lanes(app.settings))
        executor.start()
        stack.callback(executor.stop)
        if samples:
            from console.samples import drop_samples

            drop_samples(app.settings.inbox("default"))
            scan = threading.Thread(target=scan_sample, args=(app,), name="scan", daemon=True)
            scan.start()
        _start_channels(app, stop, lambda _queue: executor.wake(), stack)
        if app.settings.upload is not None:
            start_upload(app, app.settings.upload, lambda _queue: executor.wake(), stack)
        _start_upkeep(app, stop)
        _start_preservation(app, stop, stack)
        stack.callback(stop.set)
        follow(app.ledger, app.settings, stop, as_json=as_json, until_idle=until_idle)
    return stop.exit_code


@click.command()
@with_app
def watch(app: App) -> int:
    """Überwacht nur die Eingangsordner (für getrennte Maschinen)."""
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        require_ready(app, stop, sealing=False)
        usage.begun(app)
        _start_channels(app, stop, hints(app) or (lambda _queue: None), stack)
        _start_upkeep(app, stop)
        click.echo("Eingangsordner werden überwacht. Ende mit Strg-C.", err=True)
        stop.wait()
    return stop.exit_code


@click.command()
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice([str(q) for q in Queue]),
    help="Nur diese Warteschlangen (mehrfach möglich); Vorgabe: alle.",
)
@click.option("--processes", type=click.IntRange(min=1), help="Kindprozesse für die Erkennung.")
@with_app
def work(app: App, queues: tuple[str, ...], processes: int | None) -> int:
    """Startet nur die Verarbeitung; mit redis_url über dramatiq, sonst über das Ledger allein."""
    from workers.executor import Executor, standard_lanes

    wanted = tuple(Queue(name) for name in queues) or tuple(Queue)
    settings = app.settings
    if processes is not None:
        limits = settings.workers.model_copy(update={"processes": processes})
        settings = settings.model_copy(update={"workers": limits})
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        require_ready(app, stop, sealing=Queue.SEALING in wanted)
        usage.begun(app)
        stack.enter_context(living_workers(settings.data, stop))
        lanes = standard_lanes(settings, wanted)
        broker = hints(app)
        executor = Executor(settings, app.ledger, lanes, broker)
        if broker is None:
            executor.start()
            stack.callback(executor.stop)
        else:
            from workers.actors import BrokerWorkers

            workers = BrokerWorkers(broker, executor, lanes)
            executor.start(own=False)
            workers.start()
            stack.callback(workers.stop)
            stack.callback(executor.stop)
        if Queue.SEALING in wanted:
            _start_preservation(app, stop, stack)
        click.echo(f"Verarbeitung läuft ({', '.join(wanted)}). Ende mit Strg-C.", err=True)
        stop.wait()
    return stop.exit_code


def _start_channels(
    app: App, stop: threading.Event, hint: Callable[[Queue], None], stack: ExitStack
) -> None:
    import profiles
    from scanners.folder import FolderChannel

    for tenant in app.settings.tenants:
        channel = FolderChannel(app.settings, tenant, app.ledger, app.store, profiles, hint)
        thread = threading.Thread(
            target=channel.run, args=(stop,), name=f"folder-{tenant}", daemon=True
        )
        thread.start()
        stack.callback(thread.join, 10.0)
        _start_carrying(app, tenant, hint, stack)


def _start_carrying(app: App, tenant: str, hint: Callable[[Queue], None], stack: ExitStack) -> None:
    """Take in what a `scan` that was killed left on this machine."""
    from scanners.stack.transmission import Transmission

    home, house = scanning_home(app, tenant), house_of(app, tenant, hint)
    transmission = Transmission(home, house, tell=_say_carried)
    thread = threading.Thread(target=transmission.run, name=f"scanned-{tenant}", daemon=True)
    thread.start()
    stack.callback(thread.join, 10.0)
    stack.callback(transmission.stop)


def _say_carried(carriage: Carriage) -> None:
    """Log what a person has to know of: nobody stands at the scanner."""
    if carriage.operator_text:
        said = {"stack": carriage.key or None, "text": carriage.operator_text}
        log.error("scanned_not_carried", kind=carriage.kind, **said)


def _start_upkeep(app: App, stop: threading.Event) -> None:
    from ingest.document import Family
    from ingest.upkeep import Upkeep

    tenants, anchors = tuple(app.settings.tenants), app.settings.anchors
    kept = {Family(name): age for name, age in app.settings.log.kept().items()}
    every = app.settings.store.intermediates == "remove"
    upkeep = Upkeep(app.ledger, app.store, tenants, anchors, kept, every_class=every)
    threading.Thread(target=upkeep.run, args=(stop,), name="upkeep", daemon=True).start()


def _start_preservation(app: App, stop: threading.Event, stack: ExitStack) -> None:
    """Secure evidence where documents are sealed: that machine reaches the authority."""
    from workers.evidence.preservation import Preservation

    preservation = Preservation(app.settings, app.ledger)
    thread = threading.Thread(
        target=preservation.run, args=(stop,), name="preservation", daemon=True
    )
    thread.start()
    stack.callback(thread.join, 5.0)


def _log_to_file(app: App, stack: ExitStack) -> None:
    """Keep the terminal for the picture: logs go into the data folder."""
    if not sys.stdout.isatty():
        return
    app.settings.data.mkdir(parents=True, exist_ok=True, mode=0o750)
    file = stack.enter_context((app.settings.data / "scanstrasse.log").open("a", encoding="utf-8"))
    configure_logs(verbose=False, stream=file)
    stack.callback(configure_logs, verbose=False)
