"""Pieces of letters do not stay behind, whoever dies, and nobody's work is swept away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workers.scratch import ROOM_BYTES, Scratch

_HOLDER = """
import sys, time
from pathlib import Path
from workers.scratch import Scratch
folder = Scratch(Path(sys.argv[1])).folder()
(folder / "page.png").write_bytes(b"a letter")
print(folder, flush=True)
time.sleep(600)
"""


def test_a_folder_is_empty_and_new_each_time(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "spool")
    first, second = scratch.folder(), scratch.folder()
    assert first != second
    assert not list(first.iterdir())
    assert first.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_process_left_is_removed_and_a_living_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip())
        other = Scratch(tmp_path)
        mine = other.folder()
        assert other.clear_abandoned() == 0
        assert (folder / "page.png").exists()
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert other.clear_abandoned() == 1
    assert not folder.parent.exists()
    assert mine.is_dir()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_without_a_lock_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "123-old").mkdir()
    (tmp_path / "123-old" / "page.png").write_bytes(b"a letter")
    assert Scratch(tmp_path).clear_abandoned() == 1
    assert not list(tmp_path.iterdir())


def test_closing_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    scratch.folder()
    scratch.close()
    scratch.close()
    assert not list(tmp_path.iterdir())
    assert scratch.folder().is_dir()


def test_a_spool_that_does_not_exist_is_clean(tmp_path: Path) -> None:
    assert Scratch(tmp_path / "none").clear_abandoned() == 0


def test_without_room_no_attempt_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=ROOM_BYTES - 1)
    scratch = Scratch(tmp_path / "spool")
    scratch.folder()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    assert not scratch.has_room()
    with pytest.raises(OSError, match="No space"):
        scratch.folder()
