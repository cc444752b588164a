"""What the ledger knows of a document that goes into its bundle, read in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ingest.document import Facts
from ingest.errors import UsageError
from ingest.ledger import covering, excerpts, procedures, samples, witnessed
from ingest.ledger.excerpts import Anchor, Anchors
from ingest.ledger.paperunits import chain_of
from ingest.ledger.showing import show
from ingest.ledger.witness import CAPTURE, HEADS, RECEIPT, SUPPLEMENT, SUPPLEMENTED, day_of
from workers.evidence.assembly import proving, records

if TYPE_CHECKING:
    import sqlalchemy as sa


_Key = TypeVar("_Key", int, str)


@dataclass(frozen=True, kw_only=True)
class Chained:
    """A chain with its events and its way to the root of a day, None before there is one."""

    whole: Facts
    events: list[Facts]
    anchor: Anchor | None


@dataclass(frozen=True, kw_only=True)
class Known:
    """Everything about one document.

    Attributes:
        document: As `ingest.ledger.showing.show` says it; `batch` likewise.
        cut: Which pages of the batch became which document.
        chains: Of the document, then of its batch.
        papers: Chains of the paper of which `paper` tells.
        profile: The version by which it was treated.
        paper: What is recorded about the paper of the batch.
        procedures: Digests of the released texts of the written procedure, with their names.
        sample: The batch's quality assurance with the verdict about each document; empty
            where none was asked for.
        evidence: The evidence record, DER; None while there is none.
        days: Records over the roots of the days to which the chains lead, by day.
        receipts: Records over the files as they arrived or were scanned again, by ordinal.
        images: Records over the images of its pages, by number.
        supplements: Records over its supplementary note and the seal of that, by kind.
    """

    document: Facts
    batch: Facts
    cut: list[Facts]
    chains: tuple[Chained, Chained]
    papers: tuple[Chained, ...]
    profile: Facts | None
    paper: list[Facts]
    procedures: dict[str, str]
    sample: Facts
    evidence: bytes | None
    days: dict[str, bytes]
    receipts: dict[int, bytes]
    images: dict[int, bytes]
    supplements: dict[str, bytes]

    @property
    def id(self) -> str:
        """The document's id."""
        return str(self.document["id"])

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return str(self.document["tenant"])

    @property
    def is_erased(self) -> bool:
        """Whether only the record of its deletion is left."""
        return self.document["erased_at"] is not None

    @property
    def own_sources(self) -> set[int]:
        """Ordinals of the files that are its original or hold one of its pages."""
        return {page["source"] for page in self.document["pages_found"]} | {self.document["source"]}

    @property
    def foreign_sources(self) -> set[int]:
        """Ordinals of the files with which only other documents have to do."""
        return {source["ordinal"] for source in self.files} - self.own_sources

    @property
    def shared_sources(self) -> set[int]:
        """Ordinals of its files that hold other documents as well, other revisions apart."""
        ordinal = self.document["ordinal"]
        others = [one for one in self.cut if one["ordinal"] != ordinal]
        pages = {number for one in others for number in one["pages"]}
        theirs = {one["source"] for one in others}
        theirs |= {p["source"] for p in self.batch["pages_found"] if p["number"] in pages}
        return self.own_sources & theirs

    @property
    def has_neighbours(self) -> bool:
        """Whether the batch has other documents, other revisions of this one apart."""
        return any(one["ordinal"] != self.document["ordinal"] for one in self.cut)

    @property
    def files(self) -> list[Facts]:
        """The files of the batch: what arrived, what lay inside, what was scanned again."""
        return [*self.batch["sources"], *self.batch["enclosures"], *self.batch["rescans"]]


def read(connection: sa.Connection, document_id: str, anchors: dict[str, Anchors]) -> Known:
    """Return what is known of a document.

    Args:
        connection: In a reading transaction.
        document_id: Its whole id.
        anchors: By tenant, kept from one document to the next in the same transaction.
    """
    document = show(connection, document_id)
    batch_id, tenant = str(document["batch"]), str(document["tenant"])
    of_tenant = anchors.setdefault(tenant, Anchors(connection, tenant))
    found = [encoded for _, _, encoded in records(connection, [document_id])]
    batch = show(connection, batch_id)
    chains = (
        _chained(connection, document_id, of_tenant),
        _chained(connection, batch_id, of_tenant),
    )
    paper = excerpts.paper_of(connection, batch_id, document_id)
    papers = tuple(_chained(connection, chain_of(str(one["id"])), of_tenant) for one in paper)
    days = {one.anchor.day for one in (*chains, *papers) if one.anchor is not None}
    captured = covering.places(connection, CAPTURE, batch_id)
    numbers = [page["number"] for page in document["pages_found"]]
    return Known(
        document=document,
        batch=batch,
        cut=excerpts.cut_of(connection, batch_id),
        chains=chains,
        profile=excerpts.profile_of(connection, tenant, str(document["profile_sha256"])),
        paper=paper,
        papers=papers,
        procedures={row.sha256: row.name for row in procedures.texts(connection, tenant)},
        sample=_sample(connection, batch_id),
        evidence=found[0] if found else None,
        days=_proofs(connection, HEADS, {day: (day_of(tenant, day), 0) for day in days}),
        receipts=_proofs(connection, RECEIPT, covering.places(connection, RECEIPT, batch_id)),
        images=_proofs(connection, CAPTURE, {number: captured[number] for number in numbers}),
        supplements=_proofs(
            connection,
            SUPPLEMENT,
            {str(kind): (document_id, at) for at, kind in enumerate(SUPPLEMENTED)},
        ),
    )


def _sample(connection: sa.Connection, batch_id: str) -> Facts:
    try:
        return samples.show(connection, batch_id)
    except UsageError:
        return {}


def _proofs(
    connection: sa.Connection, kind: str, places: dict[_Key, tuple[str, int]]
) -> dict[_Key, bytes]:
    """Return the records of some leaves, as far as a timestamp has come."""
    found = {key: witnessed.proof(connection, kind, unit, at) for key, (unit, at) in places.items()}
    return {key: proving(proof) for key, proof in found.items() if proof is not None}


def _chained(connection: sa.Connection, chain: str, anchors: Anchors) -> Chained:
    events = excerpts.told(connection, chain)
    return Chained(
        whole=excerpts.chain_of(connection, chain), events=events, anchor=anchors.of(events)
    )
