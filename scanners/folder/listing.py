"""What lies in an inbox now: folders, files, and everything that is not for us.

No link is followed; each entry is looked at once, and none is opened but what has the name of
a desktop's litter.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scanners.folder.litter import is_litter
from scanners.folder.naming import CLAIMED, STACK_MANIFEST, Refusal, refusal

_SPECIAL: Final = (
    (stat.S_ISLNK, "symlink", "Verknüpfung (Symlink)"),
    (stat.S_ISFIFO, "special_file", "Pipe"),
    (stat.S_ISSOCK, "special_file", "Socket"),
    (stat.S_ISCHR, "special_file", "Gerätedatei"),
    (stat.S_ISBLK, "special_file", "Gerätedatei"),
)


_NAMED_AT_MOST: Final = 1000
_IN_NO_INBOX: Final[Refusal] = (
    "unknown_folder",
    "Liegt in einem Ordner, aus dem nichts angenommen wird. Bitte in den Eingang oder in einen "
    "Profilordner legen oder entfernen.",
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
        elif stat.S_ISREG(status.st_mode) and is_litter(path, status.st_size):
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
        listing.refused.extend(_inside(path, relative))
        return
    child = Folder(
        path=path, relative=relative, inbox=name if is_profile else parent.inbox, is_stack=is_stack
    )
    try:
        _list_folder(child, profile_names, listing)
    except OSError as error:
        text = f"Ordner nicht lesbar ({error.strerror}). Bitte Zugriffsrechte prüfen."
        listing.refused.append(Refused(relative=relative, reason=("unreadable_folder", text)))


def _inside(folder: Path, relative: Path) -> list[Refused]:
    """Name the files of a folder that is not taken, the first ones if there are very many."""
    found: list[Refused] = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            with contextlib.suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and is_litter(path, status.st_size):
                    continue
            below = relative / path.relative_to(folder)
            if len(found) == _NAMED_AT_MOST:
                text = "Hier liegen noch mehr Dateien, die nicht angenommen sind."
                return [*found, Refused(relative=below, reason=("unknown_folder", text))]
            found.append(Refused(relative=below, reason=_IN_NO_INBOX))
    return found


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
