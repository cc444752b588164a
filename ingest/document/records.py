"""Batches, their sources and pages, documents and renditions, as values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from ingest.document.kinds import PageRole, RenditionKind, Sides, SourceKind
from ingest.document.omission import left_out
from ingest.document.standing import BatchStage, Stage
from ingest.document.terms import Facts


@dataclass(frozen=True, kw_only=True)
class Blob:
    """Bytes in the store.

    Attributes:
        sha256: 64 lower-case hexadecimal digits; with the tenant the key of the bytes.
        size: bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file as it arrived, or as it lay inside one that arrived.

    Attributes:
        ordinal: Position in the batch, from 1.
        name: The name for display: NFC, undecodable bytes replaced.
        name_base64: The name's bytes as the file system had them.
        kind: `SourceKind.UNKNOWN` until inspection.
        pages: Number of pages or frames, None before inspection or where there are none.
        facts: What inspection found (signed, encrypted, attachments, javascript, xfa, repaired).
        enclosure_of: Ordinal of the source inside which it lay; None for what arrived.
        opened_sha256: Blob of the copy that a person opened with a password, None without.
        rescan_of: Ordinal of the source whose pages this one replaces; None for what arrived.
    """

    ordinal: int
    name: str
    name_base64: str
    sha256: str
    size: int
    kind: SourceKind = SourceKind.UNKNOWN
    pages: int | None = None
    facts: Facts = field(default_factory=dict)
    enclosure_of: int | None = None
    opened_sha256: str | None = None
    rescan_of: int | None = None

    @property
    def content_sha256(self) -> str:
        """Digest of the bytes that steps read; the original is always `sha256`."""
        return self.opened_sha256 or self.sha256


@dataclass(frozen=True, kw_only=True)
class Page:
    """One image (Abbild) of an arrival.

    Attributes:
        number: 1-based position in the arrival, over all its sources.
        source: Ordinal of the source it is in.
        index: 0-based frame or page inside that source.
        sha256: Digest of the image as the device gave it: the file for single images, tags and
            strips of a TIFF frame, source digest and index for a PDF page.
        facts: What the page's steps found (see `workers.separation`, `workers.recognition`), by
            step, and under `recorded_at` when each was recorded.
        words_sha256: Blob of the recognised words, None before recognition.
    """

    id: str
    number: int
    source: int
    index: int
    sha256: str
    role: PageRole = PageRole.CONTENT
    facts: Facts = field(default_factory=dict)
    words_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rendition:
    """A blob made from another one.

    Attributes:
        parent_sha256: What it was made from: a blob or, for `words`, the page's digest.
        tool: Name and version of what made it.
    """

    kind: RenditionKind
    sha256: str
    size: int
    media_type: str
    parent_sha256: str
    tool: str
    settings: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What is known about an arrival besides its bytes.

    None means not recorded; texts show it as "nicht erfasst".

    Attributes:
        received_at: The authority's first stamp (Eingangsdatum), aware or date at midnight in the
            zone of the house; never the time of the scan.
        received_at_source: Where that came from: `batch.json`, `separator`, `shift`, `operator`,
            `system` (electronic arrivals).
        operator: Code of the person, never a name, login or host.
        device: Inventory number or product of the scanner.
        expected_sheets: The operator's count of sheets.
        expected_consignments: The operator's count of what separate senders sent.
        sides: How the sheets were scanned; it counts before what the profile says.
    """

    profile: str
    channel: str = "folder"
    operator: str | None = None
    received_at: dt.datetime | None = None
    received_at_source: str | None = None
    scanned_at: dt.datetime | None = None
    device: str | None = None
    storage_place: str | None = None
    expected_sheets: int | None = None
    expected_consignments: int | None = None
    sides: Sides | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch as steps see it."""

    id: str
    tenant: str
    stage: BatchStage
    envelope: Envelope
    registered_at: dt.datetime
    sources: tuple[Source, ...]
    facts: Facts = field(default_factory=dict)

    @property
    def omitted(self) -> list[Facts]:
        """What its documents leave out now, see `left_out`."""
        return left_out(self.facts)

    def source(self, ordinal: int) -> Source:
        """Return the source at 1-based position `ordinal`."""
        return self.sources[ordinal - 1]


@dataclass(frozen=True, kw_only=True)
class Superseded:
    """An earlier revision of a document, with what has to be known to replace its delivery.

    Attributes:
        delivery_key: Idempotency key of its delivery, whether there was one or not.
        delivery: What was recorded of its delivery, empty if nothing was.
        digests: Of all that was made of it, and of its original.
    """

    id: str
    revision: int
    delivery_key: str
    delivery: Facts = field(default_factory=dict)
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document revision as steps see it.

    Attributes:
        ordinal: Position in the batch, from 1.
        source: Ordinal of the source that is its original.
        facts: Results of its steps by step name, e.g. `facts["routing"]["department"]`.
        renditions: The newest blob of each kind.
        supersedes: Its earlier revisions, newest first.
    """

    id: str
    batch_id: str
    consignment_id: str
    revision: int
    ordinal: int
    stage: Stage
    facts: Facts = field(default_factory=dict)
    renditions: dict[RenditionKind, Rendition] = field(default_factory=dict)
    source: int = 1
    supersedes: tuple[Superseded, ...] = ()
