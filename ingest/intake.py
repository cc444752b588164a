"""The only way in: bytes durable, then the ledger, and only then may a channel let go.

`receive` is idempotent by its receipt key, so a channel that crashed anywhere repeats it
with the same key and gets the same receipt. When it returns, the bytes are synced and the
receipt is committed; before that nothing was acknowledged to anybody.
"""

from __future__ import annotations

import base64
import errno
import io
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from typing_extensions import override

from ingest.document import Envelope, Facts, Priority, Queue, Source
from ingest.errors import CountMismatch
from ingest.ledger import Arrival, Ledger, Receipt
from ingest.manifest import Manifest, ManifestSource, named_sources, parse_manifest
from ingest.store.port import Store

if TYPE_CHECKING:
    from profiles import LoadedProfile

__all__ = [
    "Delivered",
    "Held",
    "Manifest",
    "ManifestSource",
    "Request",
    "display_name",
    "name_base64",
    "named_sources",
    "parse_manifest",
    "receive",
    "receive_files",
    "receive_new",
]

#: Code and German text of what a person has to decide before anything else happens.
Held = tuple[str, str]
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """A file as a channel hands it over.

    Attributes:
        path: Where its bytes are now.
        name: The name it was delivered under, as the file system gave it.
    """

    path: Path
    name: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """An arrival to be received.

    Attributes:
        receipt_key: Equal for every attempt at the same arrival; the claim's UUID.
        profile: The profile's content, kept with the batch.
        files: In order; each becomes a source.
        announced: What the sender said the files are; what differs holds the batch.
        held: Set when a person has to decide whatever the files say.
        manifests: What describes the files, kept as evidence whether understood or not.
        ordered: Of an outgoing document, what the person who released it ordered.
    """

    tenant: str
    receipt_key: str
    envelope: Envelope
    profile: Facts
    profile_sha256: str
    priority: Priority
    files: tuple[Delivered, ...]
    announced: tuple[ManifestSource, ...] = ()
    held: Held | None = None
    manifests: tuple[Delivered, ...] = ()
    ordered: Facts | None = None


def receive(
    ledger: Ledger,
    store: Store,
    request: Request,
    *,
    hint: Callable[[Queue], None] | None = None,
    alive: Callable[[], None] | None = None,
) -> Receipt:
    """Store the bytes, commit the receipt, then hint that inspection has work.

    Args:
        ledger: Where the receipt is committed.
        store: Where the bytes are kept.
        request: What arrived.
        hint: Called after the commit; it must not raise, a lost hint is repeated by the sweep.
        alive: Called for every piece read, so that a channel can keep its claim.

    Raises:
        StoreUnavailable: Nothing was received; blobs already stored are swept if unused.
        LedgerUnavailable: Nothing was received; the same key may be tried again.
        DigestMismatch: The store holds damaged bytes under the digest of one of the files.
        OSError: A file is gone or out of reach; nothing was received.
    """
    known = ledger.receipt(request.receipt_key)
    return known or receive_new(ledger, store, request, hint=hint, alive=alive)


def receive_new(
    ledger: Ledger,
    store: Store,
    request: Request,
    *,
    hint: Callable[[Queue], None] | None = None,
    alive: Callable[[], None] | None = None,
) -> Receipt:
    """Receive, as `receive` does, an arrival whose key is not known to have a receipt.

    It reads the files even if the key turns out to have one; that receipt is then returned.

    Raises:
        ProfileInvalid: A replacing profile is not approved; nothing was received.
        ScanstrasseError: As `receive`.
        OSError: As `receive`.
    """
    profile, treatment = request.envelope.profile, request.profile["treatment"]
    if treatment == "replacing":  # refused before a whole stack is read, again at every look
        ledger.require_admitted(request.tenant, profile, request.profile_sha256, treatment)
    sources, manifests = (
        tuple(
            _kept(store, request.tenant, ordinal, delivered, alive)
            for ordinal, delivered in enumerate(files, start=1)
        )
        for files in (request.files, request.manifests)
    )
    receipt = ledger.accept(
        Arrival(
            receipt_key=request.receipt_key,
            tenant=request.tenant,
            envelope=request.envelope,
            profile=request.profile,
            profile_sha256=request.profile_sha256,
            priority=int(request.priority),
            sources=sources,
            held=_joined(request.held, _disagreement(request.announced, sources)),
            manifests=manifests,
            ordered=request.ordered,
        )
    )
    files = (*request.files, *request.manifests)
    for source, delivered in zip((*sources, *manifests), files, strict=True):
        # Somebody may have erased the same bytes between storing and recording them.
        if not store.holds(request.tenant, source.sha256):
            _kept(store, request.tenant, source.ordinal, delivered, alive)
    if hint is not None:
        hint(Queue.INSPECTION)
    return receipt


def receive_files(  # noqa: PLR0913 - an arrival has this many facts, each named at the call
    ledger: Ledger,
    store: Store,
    *,
    tenant: str,
    receipt_key: str,
    envelope: Envelope,
    loaded: LoadedProfile,
    paths: Sequence[Path],
    hint: Callable[[Queue], None] | None = None,
) -> Receipt:
    """Receive files that stay where they are, as `receive` does.

    Raises:
        ScanstrasseError: As `receive`.
        OSError: As `receive`.
    """
    request = Request(
        tenant=tenant,
        receipt_key=receipt_key,
        envelope=envelope,
        profile=loaded.facts(),
        profile_sha256=loaded.sha256,
        priority=Priority[loaded.profile.priority.upper()],
        files=tuple(Delivered(path=path, name=path.name) for path in paths),
    )
    return receive(ledger, store, request, hint=hint)


def display_name(name: str) -> str:
    """Return `name` for people and records: NFC, undecodable and unprintable parts replaced."""
    decoded = os.fsencode(name).decode("utf-8", "replace")
    return _UNPRINTABLE.sub("\ufffd", unicodedata.normalize("NFC", decoded))


def name_base64(name: str) -> str:
    """Return the bytes of `name` as the file system has them, in base64."""
    return base64.b64encode(os.fsencode(name)).decode("ascii")


def _kept(
    store: Store,
    tenant: str,
    ordinal: int,
    delivered: Delivered,
    alive: Callable[[], None] | None,
) -> Source:
    with _regular(delivered.path, alive) as stream:
        blob = store.put(tenant, stream)
    return Source(
        ordinal=ordinal,
        name=display_name(delivered.name),
        name_base64=name_base64(delivered.name),
        sha256=blob.sha256,
        size=blob.size,
    )


class _Reported(io.FileIO):
    """A file that reports every read."""

    def __init__(self, descriptor: int, alive: Callable[[], None]) -> None:
        super().__init__(descriptor, "rb")
        self._alive = alive

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        self._alive()
        return super().read(-1 if size is None else size) or b""


def _regular(path: Path, alive: Callable[[], None] | None) -> AbstractContextManager[BinaryIO]:
    """Open `path` for reading without following a link or waiting for a pipe.

    Raises:
        OSError: It is gone, out of reach or no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return cast("BinaryIO", _Reported(descriptor, alive or _nobody_asks))


def _nobody_asks() -> None:
    """Stand in where no claim has to be kept."""


def _disagreement(
    announced: tuple[ManifestSource, ...], sources: tuple[Source, ...]
) -> Held | None:
    """Say what differs between announcement and files, None when they agree."""
    if not announced:
        return None
    arrived = {source.name: source.sha256 for source in sources}
    problems = []
    for entry in announced:
        name = display_name(entry.name)
        if name not in arrived:
            problems.append(f"„{name}“ fehlt")
        elif entry.sha256 is not None and arrived[name] != entry.sha256.lower():
            problems.append(f"„{name}“ hat eine andere Prüfsumme als angekündigt")
    expected = {display_name(entry.name) for entry in announced}
    problems += [f"„{name}“ ist nicht angekündigt" for name in arrived if name not in expected]
    if not problems:
        return None
    text = (
        f"Der Stapel stimmt nicht mit seiner Ankündigung überein: {'; '.join(problems)}. Bitte die "
        "Blätter prüfen und den Stapel vollständig neu einreichen (diesen zurückweisen) oder "
        "mit »release« so freigeben, wie er ist."
    )
    return CountMismatch.code, text


def _joined(first: Held | None, second: Held | None) -> Held | None:
    if first is None or second is None:
        return first or second
    return first[0], f"{first[1]} {second[1]}"
