"""The folder store takes a finished file by giving it a second name."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from typing_extensions import override

from ingest.errors import DigestMismatch, StoreUnavailable
from ingest.store import FolderStore
from ingest.store.disk import Disk
from ingest.store.folder import FULL

TENANT = "stadt-a"
PAGE = b"eine Seite " * 1000
DIGEST = hashlib.sha256(PAGE).hexdigest()


class NoLinks(Disk):
    """A disk that gives no second name."""

    def __init__(self, number: int, *, times: int = 1) -> None:
        self._number, self._times = number, times

    @override
    def link(self, existing: Path, name: Path) -> None:
        if self._times:
            self._times -= 1
            raise OSError(self._number, os.strerror(self._number))
        super().link(existing, name)


def spooled(folder: Path) -> Path:
    path = folder / "000001.tif"
    path.write_bytes(PAGE)
    return path


def read(store: FolderStore) -> bytes:
    with store.open(TENANT, DIGEST) as stream:
        return stream.read()


def test_an_adopted_file_is_the_stores_whatever_becomes_of_its_first_name(tmp_path: Path) -> None:
    store, path = FolderStore(tmp_path / "store"), spooled(tmp_path)
    blob = store.adopt(TENANT, path)
    assert (blob.sha256, blob.size) == (DIGEST, len(PAGE))
    assert path.stat().st_nlink == 2
    assert not path.stat().st_mode & 0o222
    path.unlink()
    assert read(store) == PAGE


def test_adopting_twice_keeps_one_copy(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.adopt(TENANT, spooled(tmp_path))
    (tmp_path / "noch").mkdir()
    store.adopt(TENANT, spooled(tmp_path / "noch"))
    assert list(store.digests(TENANT)) == [DIGEST]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_what_cannot_have_a_second_name_is_copied(tmp_path: Path, number: int) -> None:
    store, path = FolderStore(tmp_path / "store", disk=NoLinks(number)), spooled(tmp_path)
    assert store.adopt(TENANT, path).sha256 == DIGEST
    assert path.stat().st_nlink == 1
    assert read(store) == PAGE


def test_a_full_disk_is_said_and_nothing_is_visible(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store", disk=NoLinks(errno.ENOSPC))
    with pytest.raises(StoreUnavailable) as caught:
        store.adopt(TENANT, spooled(tmp_path))
    assert caught.value.code == FULL
    assert list(store.digests(TENANT)) == []
    assert store.adopt(TENANT, tmp_path / "000001.tif").sha256 == DIGEST


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link.tif").symlink_to(spooled(tmp_path))
    with pytest.raises(OSError, match=r"link\.tif"):
        FolderStore(tmp_path / "store").adopt(TENANT, tmp_path / "link.tif")


def test_a_damaged_copy_that_is_there_already_is_found(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.adopt(TENANT, spooled(tmp_path))
    (kept,) = (path for path in (tmp_path / "store").rglob("*") if path.name == DIGEST)
    kept.chmod(0o600)
    kept.write_bytes(PAGE[:-1])
    (tmp_path / "noch").mkdir()
    with pytest.raises(DigestMismatch):
        store.adopt(TENANT, spooled(tmp_path / "noch"))
