"""What a station says, and a served house for it to say it to."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest import clock
from ingest.store.disk import Disk
from ingest.upload_settings import UploadSettings
from scanners.device import Device, Effective, PageFacts, ScannedPage, ScanSettings
from scanners.stack import Acceptance, Closing, KnownPage, Opening, StackPage
from scanners.upload import Landing, Station, UploadServer, application
from tests.plugins.servers import free_port

DEVICE = Device(
    id="test:0", driver="sane", vendor="Noname", model="ADF", serial="4711", firmware="1.0"
)
NOON = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
#: An image of one grey pixel is page enough where nobody looks at it.
TIFF = b"II*\0" + b"\0" * 60


def opening(key: str | None = None, **said: Any) -> Opening:
    values: dict[str, Any] = {
        "key": key or str(uuid.uuid4()),
        "profile": "posteingang",
        "operator": "op17",
        "station": "platz-3",
        "device": DEVICE,
        "settings": ScanSettings(dpi=75),
        "effective": {"dpi": Effective(option="resolution", requested=75, effective=75)},
        "opened_at": NOON,
    }
    return Opening(**{**values, **said})


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
        dpi=75,
        mode="grey",
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
    return StackPage(page=scanned, attempt=attempt, scanned_by="op17")


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
        "closed_by": "op17",
    }
    return Closing(**{**values, **said})


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
