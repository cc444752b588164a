"""Where the stacks of a workstation are kept: a folder each, `<home>/stacks/<key>/`."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Final

from scanners.stack.terms import Opening

VERSION: Final = 1
OPENING: Final = "stack.json"
#: What the opening is called while its stack is being removed.
REMOVED: Final = "removed"


class JournalDamaged(Exception):
    """The folder of a stack cannot be read; its page files are still there.

    Attributes:
        operator_text: German: what happened and what to do.
    """

    def __init__(self, folder: Path, why: str) -> None:
        """Name the folder and what is wrong with it."""
        super().__init__(f"{folder}: {why}")
        self.operator_text = (
            f"Die Aufzeichnung des Stapels {folder.name} ist beschädigt ({why}). Die gescannten "
            f"Seiten liegen unter {folder}; bitte den Ordner sichern und den Stapel neu scannen."
        )


def folder_of(home: Path, key: str) -> Path:
    """Return where the stack `key` is kept.

    Raises:
        ValueError: The key is no UUID, so it might lead elsewhere.
    """
    return home / "stacks" / str(uuid.UUID(key))


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
    content = (folder / OPENING).read_bytes()
    try:
        said = json.loads(content)
        version, sequence = said["version"], int(said["sequence"])
        opening = Opening.from_json(said["opening"])
    except (ValueError, TypeError, KeyError) as error:
        raise JournalDamaged(folder, f"{OPENING}: {error}") from error
    if version != VERSION:
        raise JournalDamaged(folder, f"{OPENING}: version {version}")
    return sequence, opening


def sweep(stacks: Path) -> None:
    """Clear what a crash left of stacks that were being removed."""
    for left in stacks.glob(f"*/{REMOVED}"):
        clear(left.parent)


def clear(folder: Path) -> None:
    """Remove the folder of a stack that was marked as removed; the mark goes last."""
    shutil.rmtree(folder / "spool", ignore_errors=True)
    for name in ("pages.jsonl", "taken.jsonl", REMOVED):
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()
