"""What a station says, and a served house for it to say it to."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import re
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import profiles
from ingest import clock
from ingest.ledger import open_ledger, stations
from ingest.store import FolderStore
from ingest.store.disk import Disk
from ingest.upload_settings import UploadSettings
from scanners.device import Device, Effective, PageFacts, ScannedPage, ScanSettings
from scanners.direct import DirectHouse, Workplace
from scanners.stack import Acceptance, Closing, KnownPage, Opening, StackPage, wire
from scanners.upload import Landing, Station, UploadServer, application
from tests.plugins.installation import PATIENCE
from tests.plugins.releases import approved, procedure_released, profile_text, staffed
from tests.plugins.servers import free_port

DEVICE = Device(
    id="test:0", driver="sane", vendor="Noname", model="ADF", serial="4711", firmware="1.0"
)
NOON = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
#: An image of one grey pixel is page enough where nobody looks at it.
TIFF = b"II*\0" + b"\0" * 60
#: Everybody's who is registered, see `tests.plugins.releases`.
OPERATOR = "KL"


def opening(key: str | None = None, **said: Any) -> Opening:
    values: dict[str, Any] = {
        "key": key or str(uuid.uuid4()),
        "profile": "posteingang",
        "operator": OPERATOR,
        "station": "platz-3",
        "device": DEVICE,
        "settings": ScanSettings(),
        "effective": {"dpi": Effective(option="resolution", requested=300, effective=300)},
        "opened_at": NOON,
    }
    return Opening(**{**values, **said})


def device(name: str) -> Device:
    """Return a device that no other test uses."""
    return dataclasses.replace(DEVICE, id=f"test:{name}", serial=name)


def page(
    folder: Path, number: int, *, content: bytes | None = None, attempt: int = 1, **hints: Any
) -> StackPage:
    """Return a page in a spool at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = TIFF + f"{number}/{attempt}".encode() if content is None else content
    path = folder / f"{uuid.uuid4().hex}.tif"
    path.write_bytes(content)
    facts = PageFacts(
        number=number,
        sheet=(number + 1) // 2,
        side="front" if number % 2 else "back",
        width=1,
        height=1,
        dpi=300,
        mode="colour",
        depth=8,
        began_at=NOON,
        finished_at=NOON + dt.timedelta(seconds=1),
        hints=hints,
    )
    scanned = ScannedPage(
        path=path,
        media_type="image/tiff",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        facts=facts,
    )
    return StackPage(page=scanned, attempt=attempt, scanned_by=OPERATOR)


def known(stack_page: StackPage) -> KnownPage:
    return KnownPage(
        number=stack_page.page.facts.number,
        attempt=stack_page.attempt,
        sha256=stack_page.page.sha256,
    )


def closing(*pages: StackPage, **said: Any) -> Closing:
    values: dict[str, Any] = {
        "pages": tuple(known(each) for each in pages),
        "sheets": len({each.page.facts.sheet for each in pages}),
        "interruptions": (),
        "closed_at": NOON + dt.timedelta(minutes=1),
        "closed_by": OPERATOR,
    }
    return Closing(**{**values, **said})


class House:
    """A ledger and a store on disk, with a replacing class that is approved, and stations.

    Attributes:
        url: Of the ledger.
        replacing: Name of the class.
        unapproved: Name of another one that nobody approved.
    """

    replacing = "klasse"
    unapproved = "entwurf"

    def __init__(self, folder: Path, url: str | None = None) -> None:
        """Make the house below `folder`, its ledger at `url` or there as well."""
        self.folder = folder
        self.url = url or f"sqlite:///{folder / 'ledger.sqlite'}"
        own = folder / "profiles"
        own.mkdir(parents=True)
        for name in (self.replacing, self.unapproved):
            text = profile_text(name=name, strong=False)
            (own / f"{name}.toml").write_text(f"released = true\n{text}")
        self.ledger = open_ledger(self.url)
        self.store = FolderStore(folder / "store")
        staffed(self.ledger)
        procedure_released(self.ledger)
        approved(self.ledger, profiles.load(self.replacing, own))

    def seen_by(self, station: Station) -> DirectHouse:
        """Return the house as a station sees it."""
        place = Workplace(
            tenant=station.tenant, station=station.code, clock_offset=station.clock_offset
        )
        own = self.folder / "profiles"
        return DirectHouse(self.ledger, self.store, place, house_profiles=own)

    def known(self, token: str) -> Station | None:
        """Return whose token it is."""
        with self.ledger.reading() as connection:
            found = stations.by_token(connection, token)
        return None if found is None else Station(code=found.code, tenant=found.tenant)

    def token(self, code: str = "platz-3") -> str:
        """Give a station a new token."""
        with self.ledger.writing() as connection:
            return stations.add(connection, "default", code, by="ADM")


@contextmanager
def serving(
    authenticate: Callable[[str], Station | None],
    acceptance_of: Callable[[Station], Acceptance],
    folder: Path,
    disk: Disk | None = None,
    **settings: Any,
) -> Iterator[str]:
    """Serve a house on a private port of this machine; yield its URL."""
    configured = UploadSettings(port=free_port(), **settings)
    landing = Landing(folder, disk)
    landing.prepare()
    app = application(authenticate, acceptance_of, landing, configured)
    server = UploadServer(app, configured)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def later(seconds: float) -> Callable[[], dt.datetime]:
    """Return a clock that is wrong by some seconds."""
    return lambda: clock.now() + dt.timedelta(seconds=seconds)


def head(token: str, key: str, stack_page: StackPage, **more: str | None) -> bytes:
    """Return the head of a request that hands over a page; `more` changes or removes fields."""
    scanned = stack_page.page
    fields: dict[str, str | None] = {
        "Host": "house",
        "Authorization": f"Bearer {token}",
        wire.CLOCK: clock.now().isoformat(),
        "Content-Type": scanned.media_type,
        "Content-Length": str(scanned.size),
        wire.DIGEST: wire.digest_to_header(scanned.sha256),
        wire.SIZE: str(scanned.size),
        wire.PAGE: wire.page_to_header(stack_page),
    }
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    number = scanned.facts.number
    lines = [f"PUT /v1/stacks/{key}/pages/{number}?attempt={stack_page.attempt} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([*lines, "", ""]).encode()


def connected(url: str) -> socket.socket:
    """Return a connection on which anything may be said."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE)


def answered(connection: socket.socket) -> tuple[int, str]:
    """Return status and rest of the answer, 0 where the connection ends without one."""
    read = b""
    while piece := connection.recv(65536):
        read += piece
        start, _, body = read.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", start)
        if length and len(body) >= int(length.group(1)):
            break
    return (int(read.split()[1]) if read else 0), read.decode()
