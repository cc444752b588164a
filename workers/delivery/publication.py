"""Publishing files in a folder exactly once, though attempts may be repeated at any moment.

A consumer may take everything away the moment `<name>.ready` appears, so a later attempt
cannot tell from the folder what an earlier one had done. The journal can. In order:

1. all files are written and read back in the journal, and synced;
2. the data files are renamed into the folder, the folder is synced;
3. `<key>.pending` is made: it will become the `.ready` file;
4. `<key>.begun` is made, with the receipt in it, and synced: from here on the data files are
   never written again;
5. `<key>.pending` is renamed to `<name>.ready`. This one system call is the delivery.

A repeated attempt finds: no `.begun` – it starts over, nobody has seen anything; `.begun`
and `.pending` – it does step 5; `.begun` alone – it was delivered, nothing is done. After a
power failure step 5 may be forgotten by the disk though the consumer acted on it: where
`.pending` is back and data files are missing, they were taken, so it was delivered.
Attempts exclude each other by a lock that dies with its process.
"""

from __future__ import annotations

import errno
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from ingest.document import Facts
from ingest.errors import Outage, Unclear
from workers.delivery.filesystem import FileSystem

#: Folder of the journal, beside the departments' folders.
JOURNAL: Final = ".journal"
_CHUNK: Final = 1024 * 1024
_LOCK_SECONDS: Final = 5.0
#: All that is left of the journal's entry for a document that was erased.
_ERASED: Final = "erased"
#: What became of a delivery that a later revision's took the place of.
_REPLACED: Final = "replaced"
_Fate = TypeVar("_Fate")


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What is to appear in a folder.

    Attributes:
        key: Equal for every attempt at this delivery.
        folder: Where the files appear; on the same file system as the journal.
        stem: The `.ready` file is `<stem>.ready`.
        files: Content by name: a path, or bytes.
        sha256: Digest of each file, by name; what is written is compared with it.
        receipt: Kept with the journal and returned by every later attempt.
    """

    key: str
    folder: Path
    stem: str
    files: Mapping[str, Path | bytes]
    sha256: Mapping[str, str]
    receipt: Facts


class Journal:
    """Remembers which deliveries were made, in a folder beside the departments' folders."""

    def __init__(self, root: Path, system: FileSystem | None = None) -> None:
        """Keep the journal in `root`; `system` is for faulty file systems."""
        self._root = root
        self._system = system or FileSystem()

    def resume(self, key: str) -> Facts | None:
        """Return the receipt of an earlier attempt and finish what it began, None if none did.

        Raises:
            OSError: As `publish`.
            Outage: As `publish`.
            Unclear: As `publish`.
        """
        if not self._system.exists(self._place(key, "begun")):
            return None
        with self._locked(self._shard(key)):
            return self._finish(key)

    def publish(self, publication: Publication) -> Facts:
        """Make the files appear, once; return the receipt of the attempt that did it.

        Raises:
            OSError: Nothing is visible, unless a `.ready` file is: then all of it is. EIO also
                where the disk gives back other bytes than were written.
            Outage: Another attempt at the same delivery is at work.
            Unclear: The document was erased; nothing is delivered.
        """
        home = self._shard(publication.key)
        self._prepare(home)
        with self._locked(home):
            if not self._system.exists(self._place(publication.key, "begun")):
                try:
                    self._begin(publication)
                except OSError:
                    self._withdraw(publication)
                    raise
            return self._finish(publication.key)

    def withdraw(self, key: str, remove: Callable[[Facts | None], _Fate]) -> _Fate:
        """Forget a delivery after `remove` has taken its files away; none follows any more.

        Args:
            key: Of the delivery.
            remove: Gets what was kept of it, None if no attempt came so far.

        Raises:
            OSError: Perhaps not all is gone, and the delivery is not forgotten.
            Outage: An attempt is at work.
        """
        system, home = self._system, self._shard(key)
        self._prepare(home)
        begun, stage = self._place(key, "begun"), self._place(key, "stage")
        with self._locked(home):
            kept: Facts | None = None
            if system.exists(begun):
                kept = json.loads(system.read_whole(begun))
            system.remove(self._place(key, "pending"))
            if system.exists(stage):
                self._empty(stage)
            fate = remove(kept)
            self._keep(key, {_ERASED: True})
            return fate

    def replace(
        self,
        key: str,
        decide: Callable[[Facts | None, bool], Facts],
        carry_out: Callable[[Facts], None],
    ) -> Facts:
        """Put an end to a delivery that a later one replaces; none follows any more.

        Args:
            key: Of the delivery.
            decide: Says what shall become of it; gets what was kept of it, None if no attempt
                came so far, and whether the delivery was finished. Asked once, its answer is
                kept before anything is done.
            carry_out: Does what was decided; may be called again.

        Raises:
            OSError: Perhaps not all is done; the same decision holds the next time.
            Outage: An attempt at the delivery is at work.
        """
        system, home = self._system, self._shard(key)
        self._prepare(home)
        begun, pending = self._place(key, "begun"), self._place(key, "pending")
        stage = self._place(key, "stage")
        with self._locked(home):
            kept: Facts | None = None
            if system.exists(begun):
                kept = json.loads(system.read_whole(begun))
            fate: Facts | None = (kept or {}).get(_REPLACED)
            if fate is None:
                fate = decide(kept, not system.exists(pending))
                self._keep(key, {_ERASED: True, _REPLACED: fate})
            system.remove(pending)
            if system.exists(stage):
                self._empty(stage)
            carry_out(fate)
            return fate

    def _keep(self, key: str, entry: Facts) -> None:
        """Write what is kept of a delivery, all at once."""
        content = json.dumps(entry).encode()
        unborn, begun = (self._place(key, state) for state in ("unborn", "begun"))
        self._write(unborn, content, hashlib.sha256(content).hexdigest())
        self._system.sync_folder(begun.parent)
        self._system.rename(unborn, begun)
        self._system.sync_folder(begun.parent)

    def _begin(self, publication: Publication) -> None:
        """Steps 1 to 4."""
        system, stage = self._system, self._place(publication.key, "stage")
        self._prepare(publication.folder)
        self._prepare(stage)
        for name, content in publication.files.items():
            self._write(stage / name, content, publication.sha256[name])
        for name in publication.files:
            system.rename(stage / name, publication.folder / name)
        system.sync_folder(publication.folder)
        self._empty(stage)
        self._write(self._place(publication.key, "pending"), b"", hashlib.sha256().hexdigest())
        kept = {
            "folder": str(publication.folder),
            "stem": publication.stem,
            "files": list(publication.files),
            "receipt": publication.receipt,
        }
        self._keep(publication.key, kept)

    def _finish(self, key: str) -> Facts:
        """Step 5, unless it was done before; return the receipt."""
        system, pending = self._system, self._place(key, "pending")
        kept = json.loads(system.read_whole(self._place(key, "begun")))
        if kept.get(_ERASED):
            message = "the document was erased or replaced after its delivery"
            text = (
                "Das Dokument wurde gelöscht oder durch eine spätere Fassung ersetzt und wird "
                "nicht noch einmal zugestellt."
            )
            raise Unclear(message, operator_text=text, code=_ERASED)
        receipt: Facts = kept["receipt"]
        if not system.exists(pending):
            return receipt
        folder = Path(kept["folder"])
        if all(system.exists(folder / name) for name in kept["files"]):
            system.rename(pending, folder / f"{kept['stem']}.ready")
            system.sync_folder(folder)
        else:
            system.remove(pending)
        system.sync_folder(pending.parent)
        return receipt

    def _prepare(self, folder: Path) -> None:
        """Make a folder so that it is still there after a power failure."""
        if self._system.exists(folder):
            return
        self._prepare(folder.parent)
        self._system.make_folder(folder)
        self._system.sync_folder(folder.parent)

    def _write(self, path: Path, content: Path | bytes, sha256: str) -> None:
        """Write and sync a file, and read it back."""
        system = self._system
        descriptor = system.create(path)
        try:
            for block in _blocks(content):
                system.write(descriptor, block)
            system.sync(descriptor)
            digest, offset = hashlib.sha256(), 0
            while block := system.read(descriptor, offset, _CHUNK):
                digest.update(block)
                offset += len(block)
        finally:
            system.close(descriptor)
        if digest.hexdigest() != sha256:
            raise OSError(errno.EIO, "Gelesenes ist nicht das Geschriebene", str(path))

    def _withdraw(self, publication: Publication) -> None:
        """Remove what became visible before the point of no return, as far as the disk lets us."""
        if self._system.exists(self._place(publication.key, "begun")):
            return
        for name in publication.files:
            with suppress(OSError):
                self._system.remove(publication.folder / name)
        with suppress(OSError):
            self._empty(self._place(publication.key, "stage"))

    def _empty(self, stage: Path) -> None:
        for name in self._system.names(stage):
            self._system.remove(stage / name)
        self._system.remove_folder(stage)

    @contextmanager
    def _locked(self, home: Path) -> Iterator[None]:
        deadline = time.monotonic() + _LOCK_SECONDS
        while (descriptor := self._system.try_lock(home / "lock")) is None:
            if time.monotonic() > deadline:
                message = f"another attempt holds {home / 'lock'}"
                text = "Dieselbe Zustellung läuft noch in einem anderen Prozess; es wird gewartet."
                raise Outage(message, operator_text=text)
            time.sleep(0.02)
        try:
            yield
        finally:
            self._system.close(descriptor)

    def _shard(self, key: str) -> Path:
        return self._root / hashlib.sha256(key.encode()).hexdigest()[:2]

    def _place(self, key: str, state: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._shard(key) / f"{name}.{state}"


def _blocks(content: Path | bytes) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as stream:
        while block := stream.read(_CHUNK):
            yield block
