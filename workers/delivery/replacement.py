"""A later revision is delivered: what becomes of the delivery that it replaces.

Whoever stands before the outbox shall find one current document and lose nothing they hold.
Where the earlier group still lies there whole and unchanged, nobody has taken it: it is
withdrawn, `.ready` first. Where anything of it was taken or changed, all of it stays: a person
may be at work on it, and the new sidecar names what it supersedes. An earlier delivery that
was never finished is cleared away. What became of it is decided once, kept in the journal
before anything is removed, and recorded with the new delivery; the earlier one is never made
again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ingest.document import Facts, Superseded
from workers.delivery.filesystem import FileSystem
from workers.delivery.publication import JOURNAL, Journal
from workers.delivery.withdrawal import digest_of, home_of, leftovers

#: What can have become of an earlier delivery.
WITHDRAWN, LEFT, NOT_DELIVERED = "withdrawn", "left", "not_delivered"


def replace(outbox: Path, earlier: Superseded, system: FileSystem) -> Facts:
    """Withdraw the delivery of an earlier revision if nobody has taken it; may be repeated.

    Returns:
        `document`, `revision`, `state` (`withdrawn`, `left` or `not_delivered`) and the names of
        the withdrawn `files`.

    Raises:
        OSError: Perhaps not all is removed; the next attempt ends it.
        Outage: The earlier delivery is at work.
    """

    def decide(kept: Facts | None, finished: bool) -> Facts:
        said = earlier.delivery or (kept or {}).get("receipt", {}).get("facts", {})
        if not said or not finished:
            return {"state": NOT_DELIVERED, "files": []}
        group = _group(said)
        folder = home_of(outbox, said)
        if any(digest_of(folder / name) != sha256 for name, sha256 in group.items()):
            return {"state": LEFT, "files": []}
        return {"state": WITHDRAWN, "files": list(group), "folder": str(folder), "digests": group}

    def carry_out(fate: Facts) -> None:
        if fate["state"] == NOT_DELIVERED:
            leftovers(outbox, earlier.id, earlier.digests, system)
        elif fate["state"] == WITHDRAWN:
            _remove(Path(fate["folder"]), fate["digests"], system)

    fate = Journal(outbox / JOURNAL, system).replace(earlier.delivery_key, decide, carry_out)
    told = {key: fate[key] for key in ("state", "files")}
    return {"document": earlier.id, "revision": earlier.revision, **told}


def _group(said: Facts) -> dict[str, str]:
    """Return name and digest of every file of a delivery, `.ready` first."""
    stem = said.get("stem")
    ready = {f"{stem}.ready": hashlib.sha256().hexdigest()} if stem else {}
    return {**ready, **said.get("files", {})}


def _remove(folder: Path, group: dict[str, str], system: FileSystem) -> None:
    """Remove what still is as it was delivered."""
    removed = False
    for name, sha256 in group.items():
        if digest_of(folder / name) == sha256:
            system.remove(folder / name)
            removed = True
    if removed:
        system.sync_folder(folder)
