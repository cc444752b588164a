"""What goes in and out of the ledger, besides the words of `ingest.document`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ingest.document import Envelope, Facts, Source, Step, UnitKind
from ingest.errors import Deferrable

#: Tells whether the store holds a tenant's bytes with a digest.
Present = Callable[[str, str], bool]
#: Who acts when nobody does.
SYSTEM: Final = "system"


class ClaimLost(Deferrable):
    """The claim is no longer held by the caller; whatever it does is not recorded."""

    code = "claim_lost"
    consumes_try = False


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What a channel hands over, its bytes already durable in the store.

    Attributes:
        receipt_key: Equal for every attempt to hand over the same arrival.
        profile: Content of the profile, kept with the batch as it is now.
        held: Code and operator's text when a person has to decide before anything is done.
        manifests: What came with the files to describe them, kept byte by byte as evidence.
        ordered: Of an outgoing document, what the person who released it ordered.
        batch_id: Of the stack that this becomes; None for a new one.
        scanned: Of a stack that was scanned here, with what, how and what happened meanwhile.
    """

    receipt_key: str
    tenant: str
    envelope: Envelope
    profile: Facts
    profile_sha256: str
    priority: int
    sources: tuple[Source, ...]
    held: tuple[str, str] | None = None
    manifests: tuple[Source, ...] = ()
    ordered: Facts | None = None
    batch_id: str | None = None
    scanned: Facts | None = None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The authority has it.

    Attributes:
        created: False when this arrival had been accepted before.
    """

    batch_id: str
    created: bool
    sources: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to do one step of one unit, until the lease ends.

    Attributes:
        token: Fences out whoever held an earlier claim of the same work.
        attempt: 1 for the first; committed before the claim is returned.
        lost: Earlier claims of this step whose lease ended without a word from their worker;
            they are no attempts.
        idempotency_key: Equal for every attempt at this step of this unit.
        lease_until: Database time.
    """

    id: int
    token: str
    tenant: str
    unit_kind: UnitKind
    unit_id: str
    step: Step
    attempt: int
    lost: int
    idempotency_key: str
    batch_id: str
    document_id: str | None
    lease_until: dt.datetime


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A copy of a locked source without its password, its bytes already durable in the store.

    Attributes:
        ordinal: Of the source in its batch.
        sha256: Of the copy.
        size: bytes.
        tool: Name and version of what made it.
    """

    ordinal: int
    sha256: str
    size: int
    tool: str


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep made ready: work whose lease expired, and work that had become due."""

    expired: int
    promoted: int


@dataclass(frozen=True, kw_only=True)
class Unaccepted:
    """Something in an inbox that is not taken, and why.

    Attributes:
        name_base64: The name's bytes as the file system has them.
        operator_text: German: what to do about it.
    """

    name: str
    name_base64: str
    reason_code: str
    operator_text: str
    first_seen_at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Who stands at an inbox; `operator` is a code, never a name."""

    tenant: str
    inbox: str
    operator: str
    device: str | None
    began_at: dt.datetime
