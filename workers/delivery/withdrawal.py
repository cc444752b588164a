"""Withdrawing a delivery whose document is erased: what still lies in the outbox goes.

Only files that are byte for byte the delivered ones are removed; the `.ready` file first,
so that no consumer takes half a group. What a consumer has taken is beyond reach and is
named, because it has to be erased there. The journal forgets what it said of the delivery
and keeps that there was one: a ledger restored from before the erasure delivers nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ingest.document import Facts
from workers.delivery.filesystem import FileSystem
from workers.delivery.publication import JOURNAL, Journal


@dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """What became of the files of a delivery.

    Attributes:
        removed: Lay in the outbox and are gone.
        taken: Were not there any more: whoever took them has to erase them.
        altered: Have a delivered name and other content; a person has to look at them.
    """

    removed: tuple[Path, ...] = ()
    taken: tuple[Path, ...] = ()
    altered: tuple[Path, ...] = ()


def withdraw(
    outbox: Path,
    *,
    document: str,
    key: str,
    facts: Facts,
    digests: Collection[str],
    system: FileSystem | None = None,
) -> Withdrawn:
    """Remove from `outbox` what was delivered of a document; may be repeated.

    Args:
        outbox: Of the tenant.
        document: Its id, which every delivered name contains.
        key: Idempotency key of its delivery.
        facts: What the ledger says of the delivery; empty where it was not recorded.
        digests: Of everything that was made of the document, for an unrecorded delivery.
        system: For faulty file systems.

    Raises:
        OSError: Not all is removed and the journal still knows the delivery.
        Outage: The delivery is at work.
    """
    outbox = outbox.absolute()
    system = system or FileSystem()

    def remove(kept: Facts | None) -> Withdrawn:
        said = facts or (kept or {}).get("receipt", {}).get("facts", {})
        if not said:
            return leftovers(outbox, document, digests, system)
        before = (kept or {}).get("replaced", {}).get("files", ())
        return _delivered(home_of(outbox, said), said, system, before)

    if not system.exists(outbox):
        return Withdrawn(taken=tuple(Path(facts["path"]) / n for n in facts.get("files", ())))
    return Journal(outbox / JOURNAL, system).withdraw(key, remove)


def home_of(outbox: Path, said: Facts) -> Path:
    """Return the folder of a delivery, where it is now if the outbox was moved."""
    recorded = Path(said["path"])
    return recorded if recorded.is_dir() else outbox / recorded.name


def _delivered(folder: Path, said: Facts, system: FileSystem, before: Collection[str]) -> Withdrawn:
    """Remove what lies there; what was withdrawn `before` nobody has taken."""
    removed, taken, altered = [], [], []
    stem = said.get("stem")
    ready = {f"{stem}.ready": hashlib.sha256().hexdigest()} if stem else {}
    for name, sha256 in {**ready, **said.get("files", {})}.items():
        path = folder / name
        found = digest_of(path)
        if found is None:
            if name not in ready and name not in before:
                taken.append(path)
        elif found != sha256:
            altered.append(path)
        else:
            system.remove(path)
            removed.append(path)
    if removed:
        system.sync_folder(folder)
    return Withdrawn(removed=tuple(removed), taken=tuple(taken), altered=tuple(altered))


def leftovers(
    outbox: Path, document: str, digests: Collection[str], system: FileSystem
) -> Withdrawn:
    """Remove what an attempt left that never came to the delivery itself."""
    removed, altered = [], []
    for path in sorted(outbox.glob(f"[!.]*/*-{document}.*")):
        if digest_of(path) in digests or _speaks_of(path, document):
            system.remove(path)
            removed.append(path)
        else:
            altered.append(path)
    for folder in {path.parent for path in removed}:
        system.sync_folder(folder)
    return Withdrawn(removed=tuple(removed), altered=tuple(altered))


def _speaks_of(path: Path, document: str) -> bool:
    """Tell whether a file is a sidecar of the document."""
    if path.suffix != ".json" or path.is_symlink():
        return False
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("document") == document


def digest_of(path: Path) -> str | None:
    """Return the digest of a file, None if there is none; a link has no content of its own."""
    if path.is_symlink():
        return ""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return None
