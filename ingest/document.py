"""What the system is about: batches, documents, pages, and the two facts that say where each is.

`stage` is the last finished step and only moves forward; `standing` says whether the next
step may run. A correction is a new revision of the document, never a step back.
This module imports nothing else of the project.
"""

from __future__ import annotations

import datetime as dt
import enum
import os
import time
import uuid
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

#: A JSON object: facts of a step, settings of a tool.
Facts = dict[str, Any]

DEFAULT_TENANT: Final = "default"
#: What is written where a fact was not captured. Nothing is ever guessed in its place.
NOT_RECORDED: Final = "nicht erfasst"
NOT_APPLICABLE: Final = "entfällt"


def new_id() -> str:
    """Return a UUID version 7 (RFC 9562): unique, and later ones sort after earlier ones."""
    moment = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10), "big")
    value = (moment & 0xFFFF_FFFF_FFFF) << 80 | tail
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


class BatchStage(enum.StrEnum):
    """How far a batch has come. Definition order is processing order."""

    OPEN = "open"  #: the channel may still append sources
    RECEIVED = "received"  #: all bytes and the receipt are durable (Posteingang)
    INSPECTED = "inspected"  #: type, pages, signatures and damage of each source are known
    SEPARATED = "separated"  #: the pages are assigned to documents
    CLOSED = "closed"  #: consignments and documents exist; nothing is appended any more


class Stage(enum.StrEnum):
    """The last finished step of a document. Definition order is processing order."""

    CAPTURED = "captured"
    RECOGNISED = "recognised"
    CHECKED = "checked"
    NOTED = "noted"
    SEALED = "sealed"
    ROUTED = "routed"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"


class Standing(enum.StrEnum):
    """May the next step run, and if not, who has to act."""

    READY = "ready"
    CLAIMED = "claimed"
    DEFERRED = "deferred"  #: the machine tries again at `due_at`
    WAITING = "waiting"  #: nobody is at fault; what is awaited is named
    HELD = "held"  #: a person decides (Klärfall)
    QUARANTINED = "quarantined"  #: the security officer decides
    DONE = "done"
    REJECTED = "rejected"  #: ended by a named person, with a reason
    SUPERSEDED = "superseded"  #: a later revision has taken its place


_S = Standing
#: Which standing may follow which. Rejection follows only `held`.
MOVES: Final = MappingProxyType(
    {
        _S.READY: frozenset({_S.CLAIMED, _S.SUPERSEDED}),
        _S.CLAIMED: frozenset(
            {_S.READY, _S.DEFERRED, _S.WAITING, _S.HELD, _S.QUARANTINED, _S.DONE, _S.SUPERSEDED}
        ),
        _S.DEFERRED: frozenset({_S.READY, _S.HELD, _S.SUPERSEDED}),
        _S.WAITING: frozenset({_S.READY, _S.HELD, _S.SUPERSEDED}),
        _S.HELD: frozenset({_S.READY, _S.REJECTED, _S.SUPERSEDED}),
        _S.QUARANTINED: frozenset({_S.HELD, _S.SUPERSEDED}),
        _S.DONE: frozenset({_S.SUPERSEDED}),
        _S.REJECTED: frozenset(),
        _S.SUPERSEDED: frozenset(),
    }
)
#: Standings in which nothing further happens by itself or by a person.
ENDS: Final = frozenset({_S.DONE, _S.REJECTED, _S.SUPERSEDED})


class UnitKind(enum.StrEnum):
    """What the pipeline claims."""

    BATCH = "batch"
    PAGE = "page"
    DOCUMENT = "document"


class Step(enum.StrEnum):
    """The verbal nouns of the way; each has one home in `workers`."""

    INSPECTION = "inspection"  #: batch: type by content, pages, signed, encrypted, broken
    EXAMINATION = "examination"  #: page: decodes? size, codes, blank suspect
    SEPARATION = "separation"  #: batch: pages to documents
    RECOGNITION = "recognition"  #: page: words and their places
    COMPOSITION = "composition"  #: document: searchable PDF/A out of its pages
    CHECKING = "checking"
    NOTE = "note"
    SEALING = "sealing"
    ROUTING = "routing"
    DELIVERY = "delivery"


class Queue(enum.StrEnum):
    """Which workers may do a step. Keys stay out of the workers that read foreign bytes."""

    INSPECTION = "inspection"
    RECOGNITION = "recognition"
    SEALING = "sealing"
    DELIVERY = "delivery"


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """Where a step runs and where its unit stands afterwards.

    Attributes:
        stage: The stage reached, None for steps of a page.
        following: The next step of the same unit, None at the end.
        seconds: Time budget of one attempt; the lease's heartbeat stops there.
    """

    queue: Queue
    stage: BatchStage | Stage | None
    following: Step | None
    seconds: int


_K, _T, _Q = UnitKind, Step, Queue
#: The whole way, as data. A page has no stage of its own: its steps serve batch and document.
PLAN: Final = MappingProxyType(
    {
        (_K.BATCH, _T.INSPECTION): StepPlan(
            queue=_Q.INSPECTION, stage=BatchStage.INSPECTED, following=_T.SEPARATION, seconds=300
        ),
        (_K.PAGE, _T.EXAMINATION): StepPlan(
            queue=_Q.INSPECTION, stage=None, following=None, seconds=90
        ),
        (_K.BATCH, _T.SEPARATION): StepPlan(
            queue=_Q.INSPECTION, stage=BatchStage.CLOSED, following=None, seconds=120
        ),
        (_K.PAGE, _T.RECOGNITION): StepPlan(
            queue=_Q.RECOGNITION, stage=None, following=None, seconds=300
        ),
        (_K.DOCUMENT, _T.COMPOSITION): StepPlan(
            queue=_Q.RECOGNITION, stage=Stage.RECOGNISED, following=_T.CHECKING, seconds=1800
        ),
        (_K.DOCUMENT, _T.CHECKING): StepPlan(
            queue=_Q.RECOGNITION, stage=Stage.CHECKED, following=_T.NOTE, seconds=300
        ),
        (_K.DOCUMENT, _T.NOTE): StepPlan(
            queue=_Q.RECOGNITION, stage=Stage.NOTED, following=_T.SEALING, seconds=600
        ),
        (_K.DOCUMENT, _T.SEALING): StepPlan(
            queue=_Q.SEALING, stage=Stage.SEALED, following=_T.ROUTING, seconds=600
        ),
        (_K.DOCUMENT, _T.ROUTING): StepPlan(
            queue=_Q.DELIVERY, stage=Stage.ROUTED, following=_T.DELIVERY, seconds=60
        ),
        (_K.DOCUMENT, _T.DELIVERY): StepPlan(
            queue=_Q.DELIVERY, stage=Stage.DELIVERED, following=None, seconds=600
        ),
    }
)


class Priority(enum.IntEnum):
    """Smaller is sooner."""

    DEADLINE = 0
    TODAY = 10
    ON_DEMAND = 20
    ARCHIVE = 30


class RenditionKind(enum.StrEnum):
    """What a blob is to its document, page or batch."""

    WORDS = "words"  #: page: recognised words with boxes (JSON), see `workers.recognition`
    TEXT = "text"  #: document: plain text, UTF-8
    COMPOSED = "composed"  #: document: PDF before its note
    NOTE = "note"  #: document: Scanvermerk, XML
    NOTED = "noted"  #: document: PDF/A-3b with its note, before the seal
    PDF = "pdf"  #: document: the final, sealed PDF
    SEAL_REPORT = "seal_report"
    SIDECAR = "sidecar"  #: document: what was delivered beside the PDF, JSON


class PageRole(enum.StrEnum):
    """What a page is in its stack."""

    CONTENT = "content"
    ENVELOPE = "envelope"
    SEPARATOR = "separator"
    NOTE = "note"
    BLANK_SUSPECT = "blank_suspect"


class SourceKind(enum.StrEnum):
    """What a source turned out to be; decided by its bytes, never by its name."""

    TIFF = "tiff"
    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    BMP = "bmp"
    HEIC = "heic"
    PDF = "pdf"
    MAIL = "mail"  #: RFC 5322 message
    OUTLOOK = "outlook"  #: .msg and other OLE compound files
    CMS = "cms"  #: PKCS#7/CMS, DER or PEM: .p7m .p7s
    ASIC = "asic"  #: ASiC-S/E container
    ZIP = "zip"  #: any other ZIP, office files too
    XML = "xml"
    HTML = "html"
    TEXT = "text"
    UNKNOWN = "unknown"

    @property
    def is_image(self) -> bool:
        """Whether the source is a raster image with one or more frames."""
        return self in _IMAGES


_IMAGES: Final = frozenset(
    {
        SourceKind.TIFF,
        SourceKind.JPEG,
        SourceKind.PNG,
        SourceKind.GIF,
        SourceKind.WEBP,
        SourceKind.BMP,
        SourceKind.HEIC,
    }
)


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
    """One file as it arrived.

    Attributes:
        ordinal: Position in the batch, from 1.
        name: The name for display: NFC, undecodable bytes replaced.
        name_base64: The name's bytes as the file system had them.
        kind: `SourceKind.UNKNOWN` until inspection.
        pages: Number of pages or frames, None before inspection or where there are none.
        facts: What inspection found (signed, encrypted, attachments, javascript, xfa, repaired).
    """

    ordinal: int
    name: str
    name_base64: str
    sha256: str
    size: int
    kind: SourceKind = SourceKind.UNKNOWN
    pages: int | None = None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One image (Abbild) of an arrival.

    Attributes:
        number: 1-based position in the arrival, over all its sources.
        source: Ordinal of the source it is in.
        index: 0-based frame or page inside that source.
        sha256: Digest of the image as the device gave it: the file for single images, tags and
            strips of a TIFF frame, source digest and index for a PDF page.
        facts: What the page's steps found (see `workers.separation`, `workers.recognition`).
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
        expected_sheets: The operator's count.
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

    def source(self, ordinal: int) -> Source:
        """Return the source at 1-based position `ordinal`."""
        return self.sources[ordinal - 1]


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document revision as steps see it.

    Attributes:
        ordinal: Position in the batch, from 1.
        source: Ordinal of the source that is its original.
        facts: Results of its steps by step name, e.g. `facts["routing"]["department"]`.
        renditions: The newest blob of each kind.
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


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Everything a step may know: it has no other way to ask.

    Attributes:
        idempotency_key: Equal for every attempt at this step of this unit; outward calls carry it.
        attempt: 1 for the first.
        profile: The profile's content as loaded when the batch was accepted.
        pages: Of a batch all pages, of a document its pages in order; of a page, itself alone.
        document: Set for steps of a document.
        released: What a person set when releasing this unit (`release --set key=value`).
    """

    step: Step
    unit_kind: UnitKind
    unit_id: str
    tenant: str
    idempotency_key: str
    attempt: int
    profile: Facts
    profile_sha256: str
    batch: Batch
    pages: tuple[Page, ...] = ()
    document: Document | None = None
    released: dict[str, str] = field(default_factory=dict)

    @property
    def page(self) -> Page:
        """The page of a page step."""
        return self.pages[0]


@dataclass(frozen=True, kw_only=True)
class FoundPage:
    """A page that inspection found. `number` is given by order."""

    source: int
    index: int
    sha256: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One document that separation cuts out of a batch.

    Attributes:
        pages: Arrival page numbers in reading order; empty for an opaque electronic original.
        source: Ordinal of the source that is its original.
        hints: What sheets and labels said: asn, department, received_at, sheet payload.
    """

    pages: tuple[int, ...]
    source: int
    hints: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """The unit goes on when somebody or something outside has acted."""

    reason: str
    until: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a step hands back; `pipeline` records it in one transaction.

    Attributes:
        renditions: New blobs, already in the store.
        facts: Merged into the unit's facts under the step's name.
        sources: Inspection only: the sources with kind, pages and facts filled in.
        pages: Inspection only: the pages found, in order.
        children: Step that each page in `child_pages` has to finish before the next step.
        roles: Separation only: role by page number, where it is not content.
        parts: Separation only: the documents.
        wait: The unit waits instead of going on.
    """

    renditions: tuple[Rendition, ...] = ()
    facts: Facts = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    pages: tuple[FoundPage, ...] = ()
    roles: dict[int, PageRole] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    wait: Wait | None = None
