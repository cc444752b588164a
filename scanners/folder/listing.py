"""What lies in an inbox now: folders, files, and everything that is not for us.

Nothing is opened and no link is followed; each entry is looked at once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scanners.folder.naming import CLAIMED, STACK_MANIFEST, Refusal, is_litter, refusal

_SPECIAL: Final = (
    (stat.S_ISLNK, "symlink", "Verknüpfung (Symlink)"),
    (stat.S_ISFIFO, "special_file", "Pipe"),
    (stat.S_ISSOCK, "special_file", "Socket"),
    (stat.S_ISCHR, "special_file", "Gerätedatei"),
    (stat.S_ISBLK, "special_file", "Gerätedatei"),
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A regular file as the listing saw it.

    Attributes:
        relative: Path below the inbox.
    """

    path: Path
    relative: Path
    status: os.stat_result = field(repr=False)

    @property
    def name(self) -> str:
        """The name as the file system has it."""
        return self.path.name

    @property
    def fingerprint(self) -> tuple[int, int, int, int]:
        """What changes when the file does."""
        return fingerprint(self.status)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """An entry that is not taken, with its path below the inbox."""

    relative: Path
    reason: Refusal


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The inbox, the subfolder of a profile, or the folder of one stack.

    Attributes:
        relative: Path below the inbox; `.` for the inbox itself.
        inbox: Name of the inbox for shifts: the profile's subfolder, empty for the inbox itself.
        is_stack: The folder holds one stack and nothing else.
    """

    path: Path
    relative: Path
    inbox: str
    is_stack: bool
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """All folders of an inbox, and what is refused in them."""

    folders: list[Folder] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def fingerprint(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return size, modification time and identity of a file."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev


def list_inbox(root: Path, profile_names: Collection[str]) -> Listing:
    """Look at everything in `root`.

    Raises:
        OSError: The inbox itself cannot be listed.
    """
    listing = Listing()
    _list_folder(
        Folder(path=root, relative=Path(), inbox="", is_stack=False), profile_names, listing
    )
    return listing


def _list_folder(folder: Folder, profile_names: Collection[str], listing: Listing) -> None:
    listing.folders.append(folder)
    with os.scandir(folder.path) as found:
        names = sorted(entry.name for entry in found)
    for name in names:
        path, relative = folder.path / name, folder.relative / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            if name != CLAIMED:
                _list_subfolder(folder, name, profile_names, listing)
        elif is_litter(name):
            continue
        elif (reason := _refusal(name, status)) is not None:
            listing.refused.append(Refused(relative=relative, reason=reason))
        else:
            folder.entries[name] = Entry(path=path, relative=relative, status=status)


def _refusal(name: str, status: os.stat_result) -> Refusal | None:
    for test, code, german in _SPECIAL:
        if test(status.st_mode):
            text = f"{german}, nicht angenommen. Bitte die Datei selbst in den Eingang legen."
            return code, text
    return refusal(name)


def _list_subfolder(
    parent: Folder, name: str, profile_names: Collection[str], listing: Listing
) -> None:
    path, relative = parent.path / name, parent.relative / name
    is_profile = not parent.relative.parts and name in profile_names
    is_stack = not is_profile and not parent.is_stack and (path / STACK_MANIFEST).is_file()
    if not (is_profile or is_stack) or name.startswith("."):
        listing.refused.append(Refused(relative=relative, reason=_no_inbox(parent, name)))
        return
    child = Folder(
        path=path, relative=relative, inbox=name if is_profile else parent.inbox, is_stack=is_stack
    )
    try:
        _list_folder(child, profile_names, listing)
    except OSError as error:
        text = f"Ordner nicht lesbar ({error.strerror}). Bitte Zugriffsrechte prüfen."
        listing.refused.append(Refused(relative=relative, reason=("unreadable_folder", text)))


def _no_inbox(parent: Folder, name: str) -> Refusal:
    if name.startswith("."):
        return "hidden_file", "Versteckter Ordner, nicht angenommen. Bitte anders benennen."
    if parent.is_stack:
        text = "Unterordner eines Stapels, nicht angenommen. Bitte die Dateien daneben legen."
        return "unknown_folder", text
    text = (
        f"Der Ordner ist kein Profil und enthält keine {STACK_MANIFEST}; sein Inhalt wird nicht "
        f"angenommen. Bitte die Dateien in den Eingang oder einen Profilordner legen, oder den "
        f"Stapel mit einer {STACK_MANIFEST} abschließen."
    )
    return "unknown_folder", text
