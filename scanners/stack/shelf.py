"""Where the stacks of a workstation are kept: a folder each, `<home>/stacks/<key>/`."""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from pathlib import Path
from typing import Final

from ingest import clock
from scanners.device.durable import put, sync_folder
from scanners.stack.terms import Opening

VERSION: Final = 1
OPENING: Final = "stack.json"
#: What the opening is called while its stack is being removed.
REMOVED: Final = "removed"


#: A folder in which no stack began is in use for minutes, until the first page.
_UNUSED_SECONDS: Final = 24 * 3600.0


class JournalDamaged(Exception):
    """The folder of a stack cannot be read; its page files are still there.

    Attributes:
        operator_text: German: what happened and what to do.
    """

    def __init__(self, folder: Path, file: str, why: str) -> None:
        """Name the folder, the file in it, and for the log what is wrong with that."""
        super().__init__(f"{folder}: {file}: {why}")
        self.operator_text = (
            f"Die Aufzeichnung des Stapels {folder.name} ist beschädigt (Datei {file}). Die "
            f"gescannten Seiten liegen unter {folder}; bitte den Ordner sichern und den Stapel "
            "neu scannen."
        )


def folder_of(home: Path, key: str) -> Path:
    """Return where the stack `key` is kept.

    Raises:
        ValueError: The key is no UUID, so it might lead elsewhere.
    """
    return home / "stacks" / str(uuid.UUID(key))


def lock_of(home: Path, key: str, role: str) -> Path:
    """Return the name of the lock of those who `scan` or `carry` a stack."""
    return home / "locks" / f"{key}.{role}"


def known(home: Path) -> list[tuple[int, Path]]:
    """Return sequence and folder of each stack, oldest first; 0 for what cannot be read."""
    found = []
    for path in (home / "stacks").glob(f"*/{OPENING}"):
        try:
            sequence = read_opening(path.parent)[0]
        except JournalDamaged:
            sequence = 0
        except FileNotFoundError:
            continue
        found.append((sequence, path.parent))
    return sorted(found)


def read_opening(folder: Path) -> tuple[int, Opening]:
    """Return sequence and opening of the stack in `folder`.

    Raises:
        FileNotFoundError: There is none.
        JournalDamaged: It cannot be read.
    """
    try:
        said = json.loads((folder / OPENING).read_bytes())
        version, sequence = said["version"], int(said["sequence"])
        opening = Opening.from_json(said["opening"])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise JournalDamaged(folder, OPENING, str(error)) from error
    if version != VERSION:
        raise JournalDamaged(folder, OPENING, f"version {version}")
    return sequence, opening


def sweep(stacks: Path) -> None:
    """Clear what a crash left of stacks that were being removed, or had not begun."""
    for left in list(stacks.glob(f"*/{REMOVED}")):
        with contextlib.suppress(OSError):  # somebody has a file of it open; the next time then
            clear(left.parent)
    for folder in stacks.glob("*"):
        if _is_unused(folder):
            shutil.rmtree(folder, ignore_errors=True)


def mark_removed(folder: Path) -> None:
    """Make the folder of a stack none; what a crash leaves of it, the next beginning clears."""
    with contextlib.suppress(FileNotFoundError):
        put(folder / OPENING, folder / REMOVED)
    sync_folder(folder)


def _is_unused(folder: Path) -> bool:
    """Tell whether a scan left a folder before its first page counted, long ago."""
    try:
        if any((folder / name).exists() for name in (OPENING, REMOVED)):
            return False
        last = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:
        return False  # somebody is at work in it
    return clock.now().timestamp() - last > _UNUSED_SECONDS


def clear(folder: Path) -> None:
    """Remove the folder of a stack that was marked as removed, whatever others laid into it.

    Previews that a file manager keeps there show the letters. Several processes may clear one
    folder at once.

    Raises:
        OSError: Something cannot be removed now; the mark stays, and with it the next try.
    """
    if not folder.exists():
        return
    for path in [path for path in folder.iterdir() if path.name != REMOVED]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if left := [path.name for path in folder.iterdir() if path.name != REMOVED]:
            message = f"{folder}: {left} cannot be removed now"
            raise OSError(message)
        (folder / REMOVED).unlink(missing_ok=True)
        folder.rmdir()
