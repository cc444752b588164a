"""Content-addressed storage in a folder of a POSIX file system.

Nothing is acknowledged before it is on stable storage: the bytes go to a temporary file in
the same file system, are synced and linked to their final name, and the folder is synced as
well. A crash at any moment leaves either no visible file or a complete one. `link` instead
of `rename` means that an existing file is never replaced.

Layout: `<root>/<tenant>/<first two digits>/<sha256>`. The 256 folders are made at a tenant's
first use, so a put costs two syncs, of the file and of its folder, and never one for a new
folder; `bench/acceptance.py` measures it. At 10^7 blobs a folder holds 40,000 names, which
the hashed directories of ext4, XFS and Btrfs take without loss.
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from ingest.document import Blob
from ingest.errors import StoreUnavailable
from ingest.store.address import (
    CHUNK,
    absent,
    checked,
    digest_of,
    is_digest,
    mismatch,
    require_digest,
    require_tenant,
    verify_file,
)
from ingest.store.disk import Disk

#: Code of the outage that ends when somebody makes room.
FULL: Final = "store_full"
#: Another file system, one without hard links, too many names, or another owner's file.
_NO_SECOND_NAME: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_TEMPORARY: Final = ".tmp"
_LOCKS: Final = ".locks"
_SHARDS: Final = tuple(f"{number:02x}" for number in range(256))
#: Smaller files are written before a reservation would pay; they fail at the write just as well.
_RESERVE_FROM: Final = 8 * CHUNK


class FolderStore:
    """Keeps blobs as read-only files below one root folder.

    Any number of threads, processes and machines may use the same root at once, if the file
    system has hard links and locks (local ones, NFS).
    """

    def __init__(self, root: Path, *, disk: Disk | None = None) -> None:
        """Keep blobs below `root`, which is made at the first put; `disk` is for faulty ones."""
        self._root = root.absolute()
        self._disk = disk or Disk()
        self._prepared: set[str] = set()

    def put(self, tenant: str, stream: BinaryIO) -> Blob:
        """Store the rest of `stream`; on return it is durable. See `Store.put`.

        Raises:
            StoreUnavailable: Nothing is visible and no temporary file is left.
            DigestMismatch: The copy already present is damaged; it was left as it is.
            OSError: `stream` itself failed; nothing is visible and no temporary file is left.
        """
        home = self._home(tenant)
        with self._outage():
            self._prepare(home)
            descriptor, temporary = self._disk.create(home / _TEMPORARY)
        try:
            blob = self._fill(descriptor, stream)
            with self._outage():
                self._publish(home, temporary, blob)
        finally:
            # What cannot be removed now is invisible, and the sweep removes it.
            with suppress(OSError):
                self._disk.remove(temporary)
            # After a sync, closing has nothing to report; before one, something else was raised.
            with suppress(OSError):
                os.close(descriptor)
        return blob

    def adopt(self, tenant: str, path: Path) -> Blob:
        """Store a file by giving it another name; copy it where that is not possible.

        Its bytes must not change any more: it becomes read-only. Whoever gave it may remove its
        own name when this returns; then it is durable.

        Raises:
            StoreUnavailable: Nothing is visible.
            DigestMismatch: The copy already present is damaged; it was left as it is.
            OSError: The file is no regular one, gone or out of reach.
        """
        home = self._home(tenant)
        with self._outage():
            self._prepare(home)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags), "rb", buffering=0) as stream:
            blob = Blob(sha256=digest_of(stream), size=os.fstat(stream.fileno()).st_size)
            try:
                with self._outage():
                    self._disk.seal(stream.fileno(), blob.size)
                    self._disk.sync(stream.fileno())
                self._publish(home, path, blob)
            except OSError as error:
                if error.errno not in _NO_SECOND_NAME:
                    with self._outage():
                        raise
                stream.seek(0)
                return self.put(tenant, stream)
        return blob

    def _fill(self, descriptor: int, stream: BinaryIO) -> Blob:
        digest = hashlib.sha256()
        size = 0
        announced = _remaining(stream)
        if announced >= _RESERVE_FROM:
            with self._outage():
                self._disk.reserve(descriptor, announced)
        while block := stream.read(CHUNK):
            digest.update(block)
            size += len(block)
            with self._outage():
                self._disk.write(descriptor, block)
        with self._outage():
            self._disk.seal(descriptor, size)
            self._disk.sync(descriptor)
        return Blob(sha256=digest.hexdigest(), size=size)

    def _publish(self, home: Path, temporary: Path, blob: Blob) -> None:
        """Give the bytes their name, under the shard's lock.

        The lock makes two things one: a name whose folder could not be synced is taken back
        before anybody else counts on it; and the sweep cannot remove an old unreferenced blob
        between the moment this put finds it and the moment this put refreshes its time.
        """
        final = self._path(home.name, blob.sha256)
        with self._disk.lock(home / f"{_LOCKS}/{blob.sha256[:2]}"):
            try:
                self._disk.link(temporary, final)
            except FileExistsError:
                self._confirm(final, home.name, blob.sha256)
                return
            try:
                self._disk.sync_folder(final.parent)
            except OSError:
                with suppress(OSError):
                    self._disk.remove(final)
                raise

    def _confirm(self, final: Path, tenant: str, sha256: str) -> None:
        """Verify the copy present, keep the sweep away from it, make sure it is durable."""
        with final.open("rb", buffering=0) as present:
            found = digest_of(present)
            if found != sha256:
                raise mismatch(tenant, sha256, found)
            self._disk.refresh(present.fileno())
            self._disk.sync(present.fileno())
        self._disk.sync_folder(final.parent)

    def _prepare(self, home: Path) -> None:
        """Make a tenant's folders durable, once in the life of this object.

        Folders that exist are synced as well: who made them may have died before doing so.
        """
        if home.name in self._prepared:
            return
        above = self._root.parent
        above.mkdir(parents=True, exist_ok=True)
        for path in (self._root, home, home / _TEMPORARY, home / _LOCKS):
            self._disk.make_folder(path)
        for shard in _SHARDS:
            self._disk.make_folder(home / shard)
        for path in (home, self._root, above):
            self._disk.sync_folder(path)
        self._clear(home)
        self._prepared.add(home.name)

    def _clear(self, home: Path) -> None:
        """Remove what killed writers left; done at the first put and by the sweep."""
        for entry in self._entries(home / _TEMPORARY):
            with suppress(FileNotFoundError):
                self._disk.remove_abandoned(Path(entry.path))

    @contextmanager
    def open(self, tenant: str, sha256: str) -> Iterator[BinaryIO]:
        """Open bytes for reading once, forwards; the digest is checked at the end."""
        path = self._path(tenant, sha256)
        with self._outage(tenant, sha256):
            source = path.open("rb", buffering=0)
        with source:
            size = os.fstat(source.fileno()).st_size
            with checked(source, tenant, sha256, size) as stream:
                yield stream

    @contextmanager
    def materialise(self, tenant: str, sha256: str) -> Iterator[Path]:
        """Yield the stored file itself, read-only, after checking its digest."""
        path = self._path(tenant, sha256)
        with self._outage(tenant, sha256):
            verify_file(path, tenant, sha256)
        yield path

    def holds(self, tenant: str, sha256: str) -> bool:
        """Tell whether the bytes are present."""
        path = self._path(tenant, sha256)
        with self._outage():
            try:
                path.stat()
            except FileNotFoundError:
                return False
        return True

    def digests(self, tenant: str) -> Iterator[str]:
        """Every digest present for `tenant`."""
        home = self._home(tenant)
        for shard in _SHARDS:
            for entry in self._entries(home / shard):
                if is_digest(entry.name):
                    yield entry.name

    def stored_at(self, tenant: str, sha256: str) -> dt.datetime | None:
        """When the bytes were put last; None if they are not here."""
        path = self._path(tenant, sha256)
        with self._outage():
            try:
                return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
            except FileNotFoundError:
                return None

    def tenants(self) -> Iterator[str]:
        """Every tenant that has a folder here."""
        for entry in self._entries(self._root):
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield entry.name

    def sweep(self, tenant: str, referenced: Iterable[str], older_than: dt.timedelta) -> list[str]:
        """Remove unreferenced blobs older than `older_than`, and what killed writers left.

        Age counts from the last put. So what is put, or put again, while this runs is safe
        as long as `older_than` exceeds the time between a put and its ledger record by far.
        """
        home = self._home(tenant)
        keep = referenced if isinstance(referenced, Collection) else frozenset(referenced)
        limit = time.time() - older_than.total_seconds()
        removed = [
            sha256
            for sha256 in self.digests(tenant)
            if sha256 not in keep and self._remove(home, sha256, limit)
        ]
        with self._outage():
            self._clear(home)
        return removed

    def erase(self, tenant: str, sha256: str) -> bool:
        """Remove the bytes for good; False if they were not there."""
        path = self._path(tenant, sha256)
        return path.parent.is_dir() and self._remove(self._home(tenant), path.name, float("inf"))

    def _remove(self, home: Path, sha256: str, limit: float) -> bool:
        path = self._path(home.name, sha256)
        with self._outage(), self._disk.lock(home / f"{_LOCKS}/{sha256[:2]}"):
            removed = self._remove_older(path, limit)
            if removed:
                self._disk.sync_folder(path.parent)
        return removed

    def _remove_older(self, path: Path, limit: float) -> bool:
        with self._outage():
            try:
                if path.stat().st_mtime > limit:
                    return False
                self._disk.remove(path)
            except FileNotFoundError:
                return False
        return True

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        with self._outage():
            try:
                # A listing of names is small beside the blobs, and no descriptor stays open.
                with os.scandir(folder) as found:
                    entries = list(found)
            except FileNotFoundError:
                return
        yield from entries

    def _home(self, tenant: str) -> Path:
        return self._root / require_tenant(tenant)

    def _path(self, tenant: str, sha256: str) -> Path:
        return self._root / f"{require_tenant(tenant)}/{require_digest(sha256)[:2]}/{sha256}"

    def _is_mounted(self, tenant: str, sha256: str) -> bool:
        """Tell whether the folder is there in which the bytes would be.

        A tenant's first put makes it. Where it is missing, this is not the store that the
        ledger speaks of: the file system is not mounted, or another one is.
        """
        return self._path(tenant, sha256).parent.is_dir()

    @contextmanager
    def _outage(self, tenant: str = "", sha256: str = "") -> Iterator[None]:
        """Turn a failure of the file system into an outage of the store."""
        try:
            yield
        except OSError as error:
            if isinstance(error, FileNotFoundError) and sha256 and self._is_mounted(tenant, sha256):
                raise absent(tenant, sha256) from error
            message = f"store {self._root}: {error}"
            code = FULL if error.errno in _NO_ROOM else None
            text = _text(self._root, error)
            raise StoreUnavailable(message, operator_text=text, code=code) from error


def _text(root: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        remedy = "nicht vorhanden. Bitte prüfen, ob die Ablage eingebunden ist"
    elif error.errno in _NO_ROOM:
        remedy = "kein Speicherplatz mehr. Bitte Platz schaffen"
    elif error.errno == errno.EROFS:
        remedy = "nur lesbar eingebunden. Bitte Dateisystem prüfen und beschreibbar einbinden"
    elif error.errno in {errno.EACCES, errno.EPERM}:
        remedy = "keine Berechtigung. Bitte Eigentümer und Rechte des Ordners prüfen"
    else:
        remedy = f"Fehler des Dateisystems ({error.strerror}). Bitte Datenträger prüfen"
    return f"Ablage {root}: {remedy}; die Arbeit geht danach von selbst weiter."


def _remaining(stream: BinaryIO) -> int:
    """Return how many bytes `stream` still has, 0 where that is not known beforehand."""
    try:
        if not stream.seekable():
            return 0
        here = stream.tell()
        end = stream.seek(0, os.SEEK_END)
        stream.seek(here)
    except (AttributeError, OSError):
        return 0
    return max(0, end - here)
