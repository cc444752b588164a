"""Writing bundles: as folders or as one archive, whole or not at all, the same bytes each time.

An archive keeps neither times nor the machine's habits: entries are sorted, not packed (a PDF
does not get smaller), and all of the same day in 1980.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from workers.evidence.bundle.pieces import Piece

MANIFEST: Final = "manifest.sha256"
SEAL: Final = "manifest.p7s"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100644 << 16
_UNIX: Final = 3

Opened = Callable[[str], AbstractContextManager[BinaryIO]]
Sign = Callable[[bytes], bytes]


class Target(Protocol):
    """Takes files by name."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a new file for writing."""
        ...


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


class _Archive:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.create_system, entry.external_attr = _UNIX, _MODE
        with self._archive.open(entry, "w", force_zip64=True) as stream:
            yield stream  # type: ignore[misc] # typeshed says IO[bytes], which this is


@contextmanager
def writing(output: Path, *, archive: bool) -> Iterator[Target]:
    """Yield what takes files; `output` appears when the block ends well, else nothing stays.

    Raises:
        FileExistsError: `output` is there already; it is left as it was.
    """
    if output.exists():
        raise FileExistsError(output)
    aside = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    try:
        if archive:
            with zipfile.ZipFile(aside, "x", zipfile.ZIP_STORED) as made:
                yield _Archive(made)
        else:
            aside.mkdir()
            yield _Folder(aside)
        aside.rename(output)
    except BaseException:
        if aside.is_dir():
            shutil.rmtree(aside)
        else:
            aside.unlink(missing_ok=True)
        raise


def pack(
    target: Target, folder: str, pieces: list[Piece], opened: Opened, sign: Sign | None
) -> str:
    """Write a bundle's files with their list, signed if need be; return the list's SHA-256.

    Args:
        target: Where they go.
        folder: Name of the bundle's own folder there.
        pieces: All files but the list.
        opened: Opens a blob by its digest.
        sign: Returns the detached signature of the list; None leaves it unsigned.
    """
    lines: list[str] = []
    for piece in sorted(pieces, key=lambda one: one.name):
        digest = piece.blob or hashlib.sha256(piece.content).hexdigest()
        lines.append(f"{digest}  {piece.name}\n")
        with target.open(f"{folder}/{piece.name}") as written:
            if piece.blob is None:
                written.write(piece.content)
                continue
            with opened(piece.blob) as stream:
                shutil.copyfileobj(stream, written)
    manifest = "".join(lines).encode()
    with target.open(f"{folder}/{MANIFEST}") as written:
        written.write(manifest)
    if sign is not None:
        with target.open(f"{folder}/{SEAL}") as written:
            written.write(sign(manifest))
    return hashlib.sha256(manifest).hexdigest()
