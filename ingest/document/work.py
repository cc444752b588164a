"""What goes into a step and what comes out of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from ingest.document.kinds import PageRole
from ingest.document.plan import Step, UnitKind
from ingest.document.records import Batch, Document, Envelope, Page, Rendition, Source
from ingest.document.terms import Facts

#: What a person may set when releasing a unit, and what it means.
RELEASE_KEYS: Final = MappingProxyType(
    {
        "as_is": "yes: Datei unverändert zustellen",
        "blank": "keep: leere Seiten behalten",
        "count": "accepted: Zählung stimmt so",
        "expected_sheets": "ZAHL: so viele Blätter sind es, nachgezählt",
        "department": "zuständige Stelle",
        "device": "Gerät, mit dem gescannt wurde (ersetzendes Scannen)",
        "not_a_separator": "yes: die Seite ist kein Trennblatt",
        "password": "Kennwort des PDF; '-' fragt verdeckt danach und ist vorzuziehen",
        "profile": (
            "stack: Profil des Stapels, auch wo ein Trennblatt ein anderes nennt; class: die"
            " Klasse des Trennblatts, die nur nach Freigabe bearbeitet wird"
        ),
        "received_at": "Eingangsdatum JJJJ-MM-TT",
        "scanned_at": "Zeitpunkt des Scans JJJJ-MM-TTThh:mm (ersetzendes Scannen)",
        "sheet": "ignored: was auf Trennblättern nicht gilt, bleibt unbeachtet",
        "sides": "simplex oder duplex: so liegen die Seiten, in der Folge des Scans",
        "skip_unreadable": "yes: ohne die unlesbaren Seiten",
        "symbol_coding": "accepted: JBIG2-Zeichenmuster sind hingenommen",
    }
)
#: What a separator sheet may say of the envelope.
_ON_SHEETS: Final = ("operator", "device", "storage_place")


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What is known of the document in whose original another one lay.

    Attributes:
        department: Where it goes, None while that is not decided.
        case_reference: The Aktenzeichen, None where none was found.
        on_its_way: Nobody has to act before it is decided.
    """

    document: str
    department: str | None
    case_reference: str | None
    on_its_way: bool


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """Everything a step may know: it has no other way to ask.

    Attributes:
        idempotency_key: Equal for every attempt at this step of this unit; outward calls carry it.
        attempt: 1 for the first.
        profile: The profile's content as loaded when the batch was accepted or, for a document of
            another class and its pages, when the batch was separated.
        pages: Of a batch all pages, of a document its pages in order; of a page, itself alone.
        document: Set for steps of a document.
        released: What a person set when releasing this unit (`release --set key=value`).
        cover: Of a document that lay inside another one's original.
        quality: Of a document, how its match with the paper was or will be checked:
            `{"rule", "state", "mode", "need", "selected", "sample", "verdict", "checked_by",
            "rescanned"}`, see `ingest.ledger.samples.told`; empty where nothing was asked for.
        procedure: The released Verfahrensdokumentation: `{"annex_sha256", "released_by",
            "released_at"}`; empty where none was released.
        captures: Of a document, each root over digests of images of its, and its timestamp:
            `{"root", "pages", "stamped_at", "authority", "token_sha256", "images"}`, the last
            the numbers of its pages under it. There is one over the first capture of the batch
            and one over each rescan; a page in none is under no root (yet).
        registered: Operator codes among those of this document that stood for a known person when
            it came in and can be resolved to a name; empty unless its class replaces paper.
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
    cover: Cover | None = None
    quality: Facts = field(default_factory=dict)
    procedure: Facts = field(default_factory=dict)
    captures: tuple[Facts, ...] = ()
    registered: frozenset[str] = frozenset()

    @property
    def envelope(self) -> Envelope:
        """What is known about the arrival: what the document's sheet said, else the batch's."""
        if self.document is None:
            return self.batch.envelope
        said = self.document.facts.get("separation", {})
        named = {name: str(said[name]) for name in _ON_SHEETS if said.get(name)}
        return replace(self.batch.envelope, **named)  # type: ignore[arg-type]  # all are text

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
class ProfileChoice:
    """A profile that a document goes under instead of its batch's.

    Attributes:
        sha256: Of the profile's file, as with a batch.
        content: The profile as loaded when the batch was separated.
        priority: See `Priority`.
    """

    name: str
    sha256: str
    content: Facts
    priority: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """One document that separation cuts out of a batch.

    Attributes:
        pages: Arrival page numbers in reading order; empty for an opaque electronic original.
        source: Ordinal of the source that is its original.
        hints: What sheets and labels said: asn, department, received_at, sheet payload.
        profile: The document class that a sheet named, None for the batch's own.
        begins: Its first step; another than the usual one only where there are no pages.
    """

    pages: tuple[int, ...]
    source: int
    hints: Facts = field(default_factory=dict)
    profile: ProfileChoice | None = None
    begins: Step = Step.COMPOSITION


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
        places: Separation only: by page number the sheet, from 1, and its side (`front`,
            `back`), where it is known how the sheets lay.
        parts: Separation only: the documents.
        wait: The unit waits instead of going on.
        leaves: Sealing of an outgoing document only: what its event says of the seal. The
            document is handed out as it is sealed, so its way ends here.
    """

    renditions: tuple[Rendition, ...] = ()
    facts: Facts = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    pages: tuple[FoundPage, ...] = ()
    roles: dict[int, PageRole] = field(default_factory=dict)
    places: dict[int, tuple[int, str]] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    wait: Wait | None = None
    leaves: Facts | None = None
