"""Bundles (Beweispakete): all that proves a document, for whoever has nothing of this system.

A bundle is a folder `beweis-<id>`: the sealed PDF, its note, what arrived, reports, the batch
record, both event chains with their way to the root of a day, the profile, certificates, the
evidence record, a list of all files and a verifier that needs no database (BSI TR-03138,
R.2.7.7 and R.2.8.2). The same ledger and store make the same bytes, but for the signature
over the list. What speaks of other documents of the same batch, or of folders and machines
of the house, is not in it; people stay operator codes.

Of an erased document there is what is left: the record of its deletion and the chains, which
still verify.
"""

from __future__ import annotations

import base64
import functools
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ingest.document import Facts
from ingest.errors import UsageError
from ingest.ledger import excerpts
from ingest.ledger.sealers import sealers_of
from workers.evidence.bundle import known as knowledge
from workers.evidence.bundle.gathering import gather
from workers.evidence.bundle.packing import MANIFEST, SEAL, Target, pack, writing

if TYPE_CHECKING:
    from ingest.ledger import Ledger
    from ingest.ledger.excerpts import Anchors
    from ingest.settings import Settings
    from ingest.store.port import Store
    from workers.evidence.bundle.known import Known

__all__ = ["Seal", "Written", "write"]

Seal = Literal["installation", "organisation", "none"]
_SECONDS: Final = 60.0  #: an HSM far away takes its time


@dataclass(frozen=True, kw_only=True)
class Written:
    """A bundle that was written.

    Attributes:
        folder: Its name inside the output.
        manifest_sha256: Of the list of its files: stands for all of them.
        absent: What is not in it, each with part and reason.
        signer_sha256: Digest of the certificate that signed the list; None where none did.
        sealers: Digest of the one that sealed the document; whoever verifies demands that they
            are the same, or to be told of the other.
    """

    document: str
    batch: str
    folder: str
    erased: bool
    files: tuple[str, ...]
    manifest_sha256: str
    absent: tuple[Facts, ...]
    signer_sha256: str | None
    sealers: frozenset[str]

    @property
    def is_sealers(self) -> bool:
        """Whether who sealed the document signed, as far as anybody sealed and signed."""
        return not self.sealers or self.signer_sha256 in {None, *self.sealers}


def write(  # noqa: PLR0913 - what, from where, whereto and how, each named at the call
    identifier: str,
    output: Path,
    *,
    settings: Settings,
    ledger: Ledger,
    store: Store,
    archive: bool = False,
    seal: Seal | None = None,
) -> list[Written]:
    """Write the bundle of a document, or those of all documents of a batch.

    Args:
        identifier: Of a document or batch, or the beginning of it.
        output: Folder or, with `archive`, ZIP file to be made; each bundle is a folder in it.
        settings: Of the installation.
        ledger: Read only, in one transaction.
        store: Read only.
        archive: One file instead of a folder.
        seal: Whose key signs the lists; `none` leaves them unsigned, None takes the key that
            sealed the document, as far as the house still has it.

    Raises:
        UsageError: No such id, a batch without documents, or `output` exists or has no folder.
        StoreUnavailable: The store is out of reach.
        DigestMismatch: A blob is missing or altered.
        AuthorityUnavailable: The token with the organisation's key is away.
        Misconfigured: There is no such key. In all cases nothing is left at `output`.
    """
    with ledger.reading() as connection, ExitStack() as opened:
        documents = excerpts.documents_of(connection, identifier)
        _require(identifier, documents, output)
        anchors: dict[str, Anchors] = {}
        signers = _Signers(settings, opened)
        with writing(output, archive=archive) as target:
            written = []
            for document in documents:
                known = knowledge.read(connection, document, anchors)
                sealers = sealers_of(connection, document)
                signer = signers.get(seal or _kind_of(known, settings))
                written.append(_write(known, settings, store, target, signer, sealers))
            return written


def _kind_of(known: Known, settings: Settings) -> Seal:
    """Return whose key sealed a document, if the house still has it; else the highest it has."""
    kind = known.document["facts"].get("sealing", {}).get("kind")
    if kind == "installation" or not settings.sealing.has_organisation:
        return "installation"
    return "organisation"


def _write(
    known: Known,
    settings: Settings,
    store: Store,
    target: Target,
    signer: _Signer | None,
    sealers: frozenset[str],
) -> Written:
    pieces = gather(known, settings, store, sealed_by=None if signer is None else signer.seal)
    folder, opened = f"beweis-{known.id}", functools.partial(store.open, known.tenant)
    digest = pack(target, folder, pieces.files, opened, None if signer is None else signer.sign)
    lists = [MANIFEST] if signer is None else [MANIFEST, SEAL]
    return Written(
        document=known.id,
        batch=str(known.batch["id"]),
        folder=folder,
        erased=known.is_erased,
        files=tuple(sorted([*lists, *(piece.name for piece in pieces.files)])),
        manifest_sha256=digest,
        absent=tuple(pieces.absent),
        signer_sha256=None if signer is None else signer.certificate_sha256,
        sealers=sealers,
    )


def _require(identifier: str, documents: list[str], output: Path) -> None:
    if not documents:
        text = f"Stapel {identifier} hat (noch) keine Dokumente."
        raise UsageError(f"batch {identifier} has no documents", operator_text=text)
    if output.exists():
        text = f"{output} gibt es schon; bitte einen anderen Namen angeben."
        raise UsageError(f"{output} exists", operator_text=text)
    if not output.absolute().parent.is_dir():
        text = f"Den Ordner {output.parent} gibt es nicht; bitte anlegen."
        raise UsageError(f"{output.parent} is missing", operator_text=text)


class _Signer:
    """Signs lists with one key, in a child process of its own.

    Attributes:
        seal: Whose key.
        certificate_sha256: Of the key that signed last.
    """

    def __init__(self, settings: Settings, seal: Seal) -> None:
        from ingest.sandbox import Child, Limits
        from workers.sealing.keys import ensure_installation_key

        if seal == "installation":
            ensure_installation_key(settings.keys)
        self.seal = seal
        self.certificate_sha256: str | None = None
        self._child = Child(
            "workers.evidence.bundle.signing:prepare",
            {"settings": settings.for_children(sealing=True), "kind": seal},
            Limits(memory_bytes=settings.workers.memory_bytes),
        )

    def sign(self, manifest: bytes) -> bytes:
        request = {"list": base64.b64encode(manifest).decode("ascii")}
        answer = self._child.call(request, _SECONDS, lambda: True)
        self.certificate_sha256 = str(answer["certificate_sha256"])
        return base64.b64decode(answer["seal"])

    def close(self) -> None:
        self._child.close()


class _Signers:
    """The keys that sign in one go, each started when it is first asked for."""

    def __init__(self, settings: Settings, opened: ExitStack) -> None:
        self._settings = settings
        self._opened = opened
        self._known: dict[Seal, _Signer] = {}

    def get(self, seal: Seal) -> _Signer | None:
        if seal == "none":
            return None
        if seal not in self._known:
            self._known[seal] = _Signer(self._settings, seal)
            self._opened.callback(self._known[seal].close)
        return self._known[seal]
