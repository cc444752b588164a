"""The folder store on disks that fail, fill up, or lose their writer."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from typing_extensions import override

from ingest.errors import StoreUnavailable
from ingest.store import FolderStore
from ingest.store.disk import Disk
from tests.plugins.installation import PATIENCE

TENANT = "stadt-a"
LETTER = bytes(range(256)) * 40_000  # large enough for a reservation
SHA256 = hashlib.sha256(LETTER).hexdigest()


class FaultyDisk(Disk):
    """Fails the n-th call of one operation, once."""

    def __init__(self, operation: str, error: int, at: int = 1) -> None:
        self._operation, self._error, self._left = operation, error, at

    def _step(self, operation: str) -> None:
        if operation == self._operation:
            self._left -= 1
            if self._left == 0:
                raise OSError(self._error, os.strerror(self._error))

    @override
    def make_folder(self, path: Path) -> None:
        self._step("make_folder")
        super().make_folder(path)

    @override
    def create(self, folder: Path) -> tuple[int, Path]:
        self._step("create")
        return super().create(folder)

    @override
    def reserve(self, descriptor: int, size: int) -> None:
        self._step("reserve")
        super().reserve(descriptor, size)

    @override
    def write(self, descriptor: int, block: bytes) -> None:
        if self._operation == "write":
            os.write(descriptor, block[:100])  # a disk that fills up takes the beginning
        self._step("write")
        super().write(descriptor, block)

    @override
    def seal(self, descriptor: int, size: int) -> None:
        self._step("seal")
        super().seal(descriptor, size)

    @override
    def sync(self, descriptor: int) -> None:
        self._step("sync")
        super().sync(descriptor)

    @override
    def lock(self, path: Path) -> AbstractContextManager[None]:
        self._step("lock")
        return super().lock(path)

    @override
    def link(self, existing: Path, name: Path) -> None:
        self._step("link")
        super().link(existing, name)

    @override
    def sync_folder(self, path: Path) -> None:
        self._step("sync_folder")
        super().sync_folder(path)

    @override
    def refresh(self, descriptor: int) -> None:
        self._step("refresh")
        super().refresh(descriptor)

    @override
    def remove(self, path: Path) -> None:
        self._step("remove")
        super().remove(path)


def files(root: Path) -> list[Path]:
    """Return everything below the store that holds bytes."""
    return [path for path in root.rglob("*") if path.is_file() and ".locks" not in path.parts]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize(
    ("operation", "at"),
    [
        ("make_folder", 1),
        ("make_folder", 100),
        ("create", 1),
        ("reserve", 1),
        ("write", 1),
        ("write", 3),
        ("seal", 1),
        ("sync", 1),
        ("lock", 1),
        ("link", 1),
        ("sync_folder", 1),  # of the tenant's folder
        ("sync_folder", 4),  # of the folder with the new name
    ],
)
def test_a_failed_put_leaves_nothing_visible_and_nothing_behind(
    tmp_path: Path, operation: str, at: int, error: int
) -> None:
    store = FolderStore(tmp_path, disk=FaultyDisk(operation, error, at))
    with pytest.raises(StoreUnavailable) as caught:
        store.put(TENANT, io.BytesIO(LETTER))
    assert str(tmp_path) in caught.value.operator_text
    assert files(tmp_path) == []
    assert not store.holds(TENANT, SHA256)
    assert store.put(TENANT, io.BytesIO(LETTER)).sha256 == SHA256
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("operation", ["refresh", "sync", "sync_folder"])
def test_a_failed_second_put_leaves_the_first_copy(tmp_path: Path, operation: str) -> None:
    FolderStore(tmp_path).put(TENANT, io.BytesIO(LETTER))
    at = {"refresh": 1, "sync": 2, "sync_folder": 4}[operation]
    store = FolderStore(tmp_path, disk=FaultyDisk(operation, errno.EIO, at))
    with pytest.raises(StoreUnavailable):
        store.put(TENANT, io.BytesIO(LETTER))
    assert len(files(tmp_path)) == 1
    with store.open(TENANT, SHA256) as stream:
        assert stream.read() == LETTER


def test_a_temporary_file_that_cannot_be_removed_is_invisible_and_swept(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, disk=FaultyDisk("remove", errno.EIO))
    store.put(TENANT, io.BytesIO(LETTER))
    (left,) = (path for path in files(tmp_path) if ".tmp" in path.parts)
    assert list(store.digests(TENANT)) == [SHA256]
    assert store.sweep(TENANT, [SHA256], dt.timedelta(days=7)) == []
    assert list(store.digests(TENANT)) == [SHA256]
    assert not left.exists()


def test_the_temporary_file_of_a_living_writer_stays(tmp_path: Path) -> None:
    other = FolderStore(tmp_path)

    class Sweeping(io.BytesIO):
        @override
        def read(self, size: int | None = -1, /) -> bytes:
            other.sweep(TENANT, (), dt.timedelta(0))
            return super().read(size)

    assert FolderStore(tmp_path).put(TENANT, Sweeping(LETTER)).sha256 == SHA256


def test_a_file_is_abandoned_when_its_writer_lets_go(tmp_path: Path) -> None:
    descriptor, path = Disk().create(tmp_path)
    Disk().remove_abandoned(path)
    assert path.exists()
    os.close(descriptor)
    Disk().remove_abandoned(path)
    assert not path.exists()


def test_a_full_disk_is_named_as_such(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, disk=FaultyDisk("write", errno.ENOSPC))
    with pytest.raises(StoreUnavailable) as caught:
        store.put(TENANT, io.BytesIO(LETTER))
    assert "kein Speicherplatz" in caught.value.operator_text
    assert not caught.value.consumes_try


def test_stored_files_are_read_only_and_private_to_the_group(tmp_path: Path) -> None:
    FolderStore(tmp_path).put(TENANT, io.BytesIO(LETTER))
    (path,) = files(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o440


def test_put_syncs_the_file_before_its_name_and_the_name_before_returning(tmp_path: Path) -> None:
    calls: list[str] = []

    class Recording(FaultyDisk):
        @override
        def _step(self, operation: str) -> None:
            calls.append(operation)

    store = FolderStore(tmp_path, disk=Recording("", 0))
    store.put(TENANT, io.BytesIO(b"first"))
    calls.clear()
    store.put(TENANT, io.BytesIO(LETTER[:100_000]))
    kept = [call for call in calls if call not in {"write", "lock"}]
    assert kept == ["create", "seal", "sync", "link", "sync_folder", "remove"]


def test_a_sweep_cannot_remove_what_a_put_has_just_found(tmp_path: Path) -> None:
    """The put stops between finding the old blob and refreshing it; the sweep has to wait."""
    FolderStore(tmp_path).put(TENANT, io.BytesIO(LETTER))
    path = tmp_path / TENANT / SHA256[:2] / SHA256
    os.utime(path, (0, 0))
    found, go_on = threading.Event(), threading.Event()

    class Slow(Disk):
        @override
        def refresh(self, descriptor: int) -> None:
            found.set()
            assert go_on.wait(PATIENCE)
            super().refresh(descriptor)

    putting = threading.Thread(
        target=FolderStore(tmp_path, disk=Slow()).put, args=(TENANT, io.BytesIO(LETTER))
    )
    removed: list[list[str]] = []
    sweeping = threading.Thread(
        target=lambda: removed.append(FolderStore(tmp_path).sweep(TENANT, (), dt.timedelta(days=7)))
    )
    putting.start()
    assert found.wait(PATIENCE)
    sweeping.start()
    sweeping.join(0.2)
    assert sweeping.is_alive()
    go_on.set()
    putting.join()
    sweeping.join()
    assert removed == [[]]
    assert path.exists()


_SLOW_PUT = """
import io, sys, time
from pathlib import Path
from ingest.store import FolderStore

class Slow(io.BytesIO):
    def read(self, size=-1):
        block = super().read(size)
        if not block:
            print("all written", flush=True)
            time.sleep(600)
        return block

FolderStore(Path(sys.argv[1])).put("stadt-a", Slow(b"x" * 3_000_000))
"""


def test_a_killed_put_leaves_no_visible_file(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _SLOW_PUT, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"all written\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    store = FolderStore(tmp_path)
    assert list(store.digests(TENANT)) == []
    (left,) = files(tmp_path)
    assert left.parent.name == ".tmp"
    store.sweep(TENANT, (), dt.timedelta(days=7))
    assert files(tmp_path) == []


_MANY_PUTS = """
import io, sys
from pathlib import Path
from ingest.store import FolderStore
store = FolderStore(Path(sys.argv[1]))
number = 0
while True:
    content = b"%d" % number * 20_000
    print(store.put("stadt-a", io.BytesIO(content)).sha256, flush=True)
    number += 1
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_what_a_killed_writer_had_acknowledged_is_whole(tmp_path: Path, lines: int) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _MANY_PUTS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for _ in range(lines):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    acknowledged = writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    store = FolderStore(tmp_path)
    present = set(store.digests(TENANT))
    assert set(acknowledged) <= present
    for sha256 in present:
        with store.open(TENANT, sha256) as stream:
            stream.read()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine allows no mounts")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("size", [5, 20])
def test_a_really_full_disk_takes_nothing_and_keeps_what_it_had(
    small_disk: Path, size: int
) -> None:
    store = FolderStore(small_disk / "store")
    kept = store.put(TENANT, io.BytesIO(b"small letter"))
    with pytest.raises(StoreUnavailable) as caught:
        store.put(TENANT, io.BytesIO(os.urandom(size * 1024 * 1024)))
    assert "kein Speicherplatz" in caught.value.operator_text
    assert list(store.digests(TENANT)) == [kept.sha256]
    assert len(files(small_disk)) == 1
    assert store.put(TENANT, io.BytesIO(os.urandom(1024 * 1024))).size == 1024 * 1024
