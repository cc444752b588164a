"""An inbox with its watch folder, a real SQLite ledger and a real folder store."""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

import profiles
from ingest.document import DEFAULT_TENANT, Queue
from ingest.ledger import Ledger, Unaccepted
from ingest.ledger import reading as ledger_reading
from ingest.ledger import schema as ledger_schema
from ingest.settings import FolderSettings, Settings
from ingest.store import FolderStore
from scanners.folder import FolderChannel, PassResult
from tests.plugins.emptied import lay_empty_ledger, open_practised


def image(kind: str = "JPEG", shade: int = 128) -> bytes:
    """Return a small picture that differs by `shade`."""
    stream = io.BytesIO()
    picture = Image.effect_noise((64, 64), 20).point(lambda value: (value + shade) % 256)
    picture.save(stream, kind)
    return stream.getvalue()


def tiff(pages: int) -> bytes:
    """Return a TIFF whose every page boundary is a whole TIFF, as appending writers make it."""
    stream = io.BytesIO()
    pictures = [Image.new("L", (40, 40), number) for number in range(pages)]
    pictures[0].save(stream, "TIFF", save_all=True, append_images=pictures[1:])
    return stream.getvalue()


def pdf(text: str = "letter") -> bytes:
    """Return a tiny PDF with its end mark."""
    body = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n% " + text.encode() + b"\n"
    return (
        body
        + b"xref\n0 1\n0000000000 65535 f \ntrailer<</Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
        % len(body)
    )


def looped_tiff() -> bytes:
    """Return a TIFF whose directory names itself as the next."""
    entries = [(256, 3, 1, 1), (257, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 1)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\x00"
        + struct.pack("<IHBB", 10, 0, 0, 0)[:6]
        + struct.pack("<H", 4)
        + table
        + (struct.pack("<I", 10))
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class House:
    """An installation of the watch folder alone; time passes when told to."""

    settings: Settings
    ledger: Ledger
    store: FolderStore
    now: float = 1000.0
    hints: list[Queue] = field(default_factory=list)
    channel: FolderChannel = field(init=False)

    def __post_init__(self) -> None:
        self.channel = self.another()

    def another(self, **ports: Any) -> FolderChannel:
        """Return a channel as a fresh start would make it."""
        channel = FolderChannel(
            self.settings,
            DEFAULT_TENANT,
            ports.get("ledger", self.ledger),
            ports.get("store", self.store),
            ports.get("shelf", profiles),
            ports.get("hint", self.hints.append),
            monotonic=lambda: self.now,
        )
        channel.prepare()
        return channel

    @property
    def inbox(self) -> Path:
        return self.settings.inbox(DEFAULT_TENANT)

    def drop(self, name: str, content: bytes) -> Path:
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def pass_after(self, seconds: float, channel: FolderChannel | None = None) -> PassResult:
        self.now += seconds
        return (channel or self.channel).pass_once()

    def settle(self, channel: FolderChannel | None = None) -> int:
        """Let the quiet time pass; return how many arrivals were received."""
        self.pass_after(0, channel)
        return self.pass_after(self.settings.folder.settle_seconds, channel).accepted

    def arrivals(self) -> list[dict[str, Any]]:
        """Every batch as `list --json` shows it."""
        with self.ledger.reading() as connection:
            rows = list(ledger_reading.rows(connection, DEFAULT_TENANT))
        return [row for row in rows if row["message_type"] == "batch"]

    def digests(self) -> list[str]:
        """The digest of every source received, as often as it was received."""
        with self.ledger.reading() as connection:
            return sorted(
                connection.scalars(
                    ledger_schema.batch_source.select().with_only_columns(
                        ledger_schema.batch_source.c.sha256
                    )
                )
            )

    def envelopes(self) -> list[Any]:
        with self.ledger.reading() as connection:
            return list(connection.execute(ledger_schema.batch.select()))

    def unaccepted(self) -> dict[str, Unaccepted]:
        found = self.ledger.unaccepted(DEFAULT_TENANT, str(self.inbox))
        return {entry.name: entry for entry in found}

    def lying(self) -> list[str]:
        """The digests of what lies in the inbox, claimed included."""
        return sorted(
            sha256(path.read_bytes())
            for path in self.inbox.rglob("*")
            if path.is_file() and not path.name.startswith(".owner")
        )

    def claims(self) -> list[Path]:
        return sorted((self.inbox / ".claimed").glob("*"))


def build(folder: Path, **settings: Any) -> House:
    times = {"settle_seconds": 2.0, "give_up_seconds": 900.0, "abandoned_seconds": 60.0}
    configured = Settings(data=folder, folder=FolderSettings(**{**times, **settings}))
    (folder / "inbox").mkdir(parents=True, exist_ok=True)
    ledger = folder / "ledger.sqlite"
    if not ledger.exists():
        lay_empty_ledger(ledger)
    return House(
        configured, open_practised(configured.ledger_address()), FolderStore(folder / "store")
    )
