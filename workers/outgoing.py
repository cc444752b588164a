"""Letters leave the house under its seal: ordered, journaled like an arrival, handed out.

An order is durable before anything is done: the bytes are synced and the ledger has committed.
Sealing is a step like any other, done by whoever works the sealing queue; the key is in no
process that takes an order. The sealed file is in the store before it is written anywhere
else, so whoever was interrupted gives the same order again and gets the same file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import profiles
from ingest.document import DEFAULT_TENANT, OUTGOING, Envelope, Facts, Priority
from ingest.errors import UsageError
from ingest.intake import Delivered, ManifestSource, Request, receive
from ingest.ledger.outgoing import order_key
from ingest.sandbox import Child, Limits
from workers.sealing.levels import require_means

if TYPE_CHECKING:
    from ingest.ledger import Ledger, Receipt
    from ingest.settings import Settings
    from ingest.store.port import Store

_LOOK: Final = "workers.inspection.outgoing:prepare"
_LOOK_SECONDS: Final = 300.0
#: File systems without hard links: no name is taken there without a look before.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to leave.

    Attributes:
        path: The PDF; it stays where it is.
        profile: The class, a profile with `[outgoing]`.
        released_by: Operator code of the person who releases the letter.
        visible: Whether the seal is shown on a page.
    """

    path: Path
    profile: str
    released_by: str
    visible: bool = False
    tenant: str = DEFAULT_TENANT

    def facts(self) -> Facts:
        """Return what was ordered, as batch and event keep it."""
        return {"class": self.profile, "released_by": self.released_by, "visible": self.visible}


def place(order: Order, settings: Settings, ledger: Ledger, store: Store) -> Receipt:
    """Take an order in; the same order gives the same receipt.

    Raises:
        ProfileInvalid: The class does not exist, is not released or is not for what leaves.
        Misconfigured: The installation cannot make the seal that the class demands.
        Unclear: The file cannot take a seal; nothing was taken in.
        UsageError: The code is none, or not of a person who may release.
        StoreUnavailable: Nothing was taken in; as with `LedgerUnavailable`.
        OSError: The file is gone or out of reach; nothing was taken in.
    """
    loaded = profiles.load_outgoing(order.profile, settings.profiles)
    require_means(loaded.facts(), settings.sealing)
    with order.path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    ordered = order.facts()
    with ledger.reading() as connection:
        key = order_key(connection, order.tenant, sha256, ordered)
    if (known := ledger.receipt(key)) is not None:
        return known
    _look_at(order.path, settings)
    request = Request(
        tenant=order.tenant,
        receipt_key=key,
        envelope=Envelope(profile=order.profile, channel=OUTGOING, operator=order.released_by),
        profile=loaded.facts(),
        profile_sha256=loaded.sha256,
        priority=Priority[loaded.profile.priority.upper()],
        files=(Delivered(path=order.path.absolute(), name=order.path.name),),
        # what was looked at is what is taken in, or the order is held
        announced=(ManifestSource(name=order.path.name, sha256=sha256),),
        ordered=ordered,
    )
    return receive(ledger, store, request)


def _look_at(path: Path, settings: Settings) -> None:
    child = Child(_LOOK, {}, Limits(memory_bytes=settings.workers.memory_bytes))
    try:
        child.call({"path": str(path.absolute())}, _LOOK_SECONDS, lambda: True)
    finally:
        child.close()


def hand_out(store: Store, tenant: str, sha256: str, target: Path) -> None:
    """Write a sealed file to `target`: there as a whole, synced, or not there at all.

    A file that is there already and has these bytes stays; any other is not overwritten.

    Raises:
        UsageError: Another file has the name; it was not touched.
        StoreUnavailable: The store is out of reach; nothing was written.
        DigestMismatch: The stored bytes are damaged; nothing was written.
        OSError: There is no space or no right to write; nothing is left behind.
    """
    if target.exists():
        _require_same(target, sha256)
        return
    folder = target.absolute().parent
    temporary = folder / f".{target.name}.{secrets.token_hex(8)}"
    try:
        with store.open(tenant, sha256) as stream, temporary.open("xb") as written:
            shutil.copyfileobj(stream, written, 1 << 20)
            written.flush()
            os.fsync(written.fileno())
        _name(temporary, target, sha256)
    finally:
        temporary.unlink(missing_ok=True)
    listing = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(listing)
    finally:
        os.close(listing)


def _name(temporary: Path, target: Path, sha256: str) -> None:
    """Give the file its name, unless another one got it meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        _require_same(target, sha256)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        temporary.rename(target)


def _require_same(target: Path, sha256: str) -> None:
    with suppress(OSError), target.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() == sha256:
            return
    text = f"{target} gibt es schon mit anderem Inhalt; bitte einen anderen Namen angeben."
    raise UsageError(f"{target} exists", operator_text=text)
