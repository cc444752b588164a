"""What all stores share: valid addresses, and reading with the digest checked.

Tenant and digest become parts of paths and keys, so nothing but their own alphabets ever
reaches a file system or a bucket.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from typing_extensions import override

from ingest.errors import BlobMissing, DigestMismatch, UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK: Final = 1024 * 1024
_TENANT: Final = re.compile(r"[a-z0-9-]{1,63}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def require_tenant(tenant: str) -> str:
    """Return `tenant` if it is a valid name.

    Raises:
        UsageError: It has characters outside a-z, 0-9 and hyphen, or a wrong length; nothing
            was touched.
    """
    if _TENANT.fullmatch(tenant) is None:
        message = f"invalid tenant name {tenant!r}"
        text = (
            f"Mandant {tenant!r}: erlaubt sind 1 bis 63 Zeichen aus a–z, 0–9 und Bindestrich. "
            "Bitte die Schreibweise prüfen."
        )
        raise UsageError(message, operator_text=text)
    return tenant


def is_digest(name: str) -> bool:
    """Tell whether `name` is written like a SHA-256 in lower-case hexadecimal digits."""
    return _SHA256.fullmatch(name) is not None


def require_digest(sha256: str) -> str:
    """Return `sha256` if it is 64 lower-case hexadecimal digits.

    Raises:
        UsageError: It is anything else, a path for instance; nothing was touched.
    """
    if not is_digest(sha256):
        message = f"not a SHA-256: {sha256[:80]!r}"
        text = (
            f"Prüfsumme {sha256[:80]!r}: erwartet werden 64 Hexadezimalziffern in Kleinschreibung."
        )
        raise UsageError(message, operator_text=text)
    return sha256


def mismatch(tenant: str, sha256: str, found: str) -> DigestMismatch:
    """Describe stored bytes that are no longer what their address says."""
    message = f"blob {tenant}/{sha256} has digest {found}"
    text = (
        f"Gespeicherte Datei {sha256} (Mandant {tenant}) ist verändert oder beschädigt. "
        "Bitte nichts löschen, aus der Sicherung wiederherstellen und die Ursache klären."
    )
    return DigestMismatch(message, operator_text=text)


def absent(tenant: str, sha256: str) -> BlobMissing:
    """Describe bytes that a store within reach does not have."""
    message = f"blob {tenant}/{sha256} is not in the store"
    text = (
        f"Objekt {sha256} (Mandant {tenant}) fehlt in der Ablage, obwohl sie erreichbar ist. "
        "Bitte das Objekt aus der Sicherung zurückholen und den Vorgang danach freigeben."
    )
    return BlobMissing(message, operator_text=text)


class Readable(Protocol):
    """What a `CheckedReader` draws from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


class CheckedReader(io.RawIOBase):
    """Reads bytes once, forwards only, and compares their digest when the end is reached.

    There is no seeking: a digest over bytes that were skipped would prove nothing.
    """

    def __init__(self, source: Readable, tenant: str, sha256: str, size: int) -> None:
        """Read `size` bytes from `source` and expect their digest to be `sha256`."""
        super().__init__()
        self._source = source
        self._address = tenant, sha256
        self._size = size
        self._position = 0
        self._digest = hashlib.sha256()
        self._checked = False

    @override
    def readable(self) -> bool:
        """Return True."""
        return True

    @override
    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer`.

        Raises:
            DigestMismatch: The end is reached and the bytes were altered.
        """
        view = memoryview(buffer).cast("B")
        block = self._source.read(len(view))
        view[: len(block)] = block
        self._digest.update(block)
        self._position += len(block)
        if self._position >= self._size or (not block and len(view)):
            self._check()
        return len(block)

    def _check(self) -> None:
        found = self._digest.hexdigest()
        if self._checked and found == self._address[1]:
            return
        self._checked = True
        if found != self._address[1]:
            raise mismatch(*self._address, found)


@contextmanager
def checked(source: Readable, tenant: str, sha256: str, size: int) -> Iterator[BinaryIO]:
    """Yield a buffered, forward-only stream over `source` that checks its digest at the end."""
    with io.BufferedReader(CheckedReader(source, tenant, sha256, size), CHUNK) as stream:
        yield stream


def digest_of(stream: Readable) -> str:
    """Return the SHA-256 of the rest of `stream`."""
    digest = hashlib.sha256()
    while block := stream.read(CHUNK):
        digest.update(block)
    return digest.hexdigest()


_Identity = tuple[int, int, int, int, int]
_verified: OrderedDict[tuple[Path, str], _Identity] = OrderedDict()
_VERIFIED_AT_MOST: Final = 4096


def verify_file(path: Path, tenant: str, sha256: str) -> None:
    """Check the digest of a file, once for as long as the file stays the same.

    A 340-page file is needed for each of its pages; hashing it every time would cost more
    than reading the page. The kernel sets the change time on every write, truncation,
    rename and change of times, and no program can set it back. So a file with the same
    device, inode, change time, modification time and size has not been written through the
    file system since it was hashed. What this cannot see is decay of the medium below; that
    is what hashing in a new process, `verify` and the backup are for.

    Raises:
        OSError: The file cannot be read.
        DigestMismatch: The bytes are not what the digest says.
    """
    with path.open("rb", buffering=0) as stream:
        before = _identity(os.fstat(stream.fileno()))
        if _verified.get((path, sha256)) == before:
            _verified.move_to_end((path, sha256))
            return
        found = digest_of(stream)
        after = _identity(os.fstat(stream.fileno()))
    if found != sha256:
        _verified.pop((path, sha256), None)
        raise mismatch(tenant, sha256, found)
    if before == after:
        _verified[path, sha256] = before
        while len(_verified) > _VERIFIED_AT_MOST:
            _verified.popitem(last=False)


def _identity(status: os.stat_result) -> _Identity:
    return (
        status.st_dev,
        status.st_ino,
        status.st_ctime_ns,
        status.st_mtime_ns,
        status.st_size,
    )
