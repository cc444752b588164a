"""`serve`: the door for scan stations, alone or as a part of `run`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from ingest.cli import usage
from ingest.cli.app import App, with_app
from ingest.cli.proving import require_ready
from ingest.cli.stopping import stopping
from ingest.document import Queue
from ingest.upload_settings import UploadSettings

if TYPE_CHECKING:
    from scanners.stack import Acceptance
    from scanners.upload import Station, UploadServer
    from workers.actors import Hints


@click.command()
@with_app
def serve(app: App) -> int:
    """Nimmt nur Stapel von Arbeitsplätzen entgegen (für getrennte Maschinen)."""
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        require_ready(app, stop, sealing=False)
        usage.begun(app)
        settings = app.settings.upload or UploadSettings()
        server = start_upload(app, settings, hints(app) or (lambda _queue: None), stack)
        click.echo(f"Arbeitsplätze werden unter {server.url} bedient. Ende mit Strg-C.", err=True)
        stop.wait()
    return stop.exit_code


def hints(app: App) -> Hints | None:
    """Return the broker that is told of new work, None where there is none."""
    url = app.settings.redis_url
    if url is None:
        return None
    from workers.actors import Hints

    return Hints(url.get_secret_value())


def start_upload(
    app: App, settings: UploadSettings, hint: Callable[[Queue], None], stack: ExitStack
) -> UploadServer:
    """Serve scan stations until `stack` ends.

    Raises:
        Misconfigured: The port is taken, or certificate or key cannot be used.
        StoreUnavailable: The folder for pages on their way cannot be made.
    """
    from ingest.errors import StoreUnavailable
    from scanners.direct import DirectHouse, Workplace
    from scanners.stack import Unavailable
    from scanners.upload import Landing, Station, UploadServer, application

    def authenticate(token: str) -> Station | None:
        from ingest.ledger import stations

        with app.ledger.reading() as connection:
            found = stations.by_token(connection, token)
        return None if found is None else Station(code=found.code, tenant=found.tenant)

    def acceptance_of(station: Station) -> Acceptance:
        place = Workplace(
            tenant=station.tenant, station=station.code, clock_offset=station.clock_offset
        )
        folder = app.settings.profiles
        return DirectHouse(app.ledger, app.store, place, house_profiles=folder, hint=hint)

    landing = Landing(app.settings.landing)
    try:
        landing.prepare()
    except Unavailable as error:
        text = f"Der Ordner {app.settings.landing} ist nicht benutzbar: {error.__cause__}"
        raise StoreUnavailable(str(error), operator_text=text) from error
    server = UploadServer(application(authenticate, acceptance_of, landing, settings), settings)
    server.start()
    stack.callback(server.stop)
    return server
