"""Are the folders fit for letters? Checked at start, before anything is moved.

A link, a folder that everybody may write to, or an inbox that overlaps the store lets
strangers add, swap or lose post without a trace.
"""

from __future__ import annotations

import itertools
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import scanners
from ingest.errors import UnsafeFolders
from ingest.settings import Settings
from scanners.folder.naming import CLAIMED

_SQLITE: Final = "sqlite:///"


def check_folders(settings: Settings) -> None:
    """Refuse folders that are shared, linked, overlapping or of the wrong kind.

    A folder that does not exist yet is not refused; nothing is created or changed.

    Raises:
        UnsafeFolders: The text names the folder, the reason and the remedy.
    """
    watched = list(_watched(settings))
    for _, folder in watched:
        _check_one(folder)
    _check_apart(settings, watched)
    for tenant in settings.tenants:
        _check_same_file_system(settings.inbox(tenant))


def _check_apart(settings: Settings, watched: list[tuple[str, Path]]) -> None:
    for (name, folder), (other_name, other) in itertools.combinations(watched, 2):
        if _overlap(folder, other):
            raise _overlapping(name, folder, other_name, other)
    for name, folder in watched:
        for other_name, other in _protected(settings):
            if _overlap(folder, other):
                raise _overlapping(name, folder, other_name, other)
        if _is_inside(settings.data, folder):
            raise _overlapping(name, folder, "Datenordner", settings.data)


def _watched(settings: Settings) -> Iterator[tuple[str, Path]]:
    for tenant in settings.tenants:
        yield f"Eingang ({tenant})", settings.inbox(tenant)
        yield f"Ausgang ({tenant})", settings.outbox(tenant)


def _protected(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield what no inbox and no outbox may contain or lie in."""
    yield "Schlüsselordner", settings.keys
    if settings.store.kind == "folder":
        yield "Ablage", settings.data / "store"
    address = settings.ledger_address()
    if address.startswith(_SQLITE):
        yield "Journal", Path(address.removeprefix(_SQLITE))
    if settings.profiles is not None:
        yield "Profilordner", settings.profiles
    code = Path(scanners.__file__).parent.parent
    for package in ("ingest", "workers", "scanners", "profiles", "console"):
        yield "Programmordner", code / package
    if sys.prefix != sys.base_prefix:
        yield "Python-Umgebung", Path(sys.prefix)


def _check_one(folder: Path) -> None:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unsafe(
            folder, f"ist nicht erreichbar ({error.strerror})", "Zugriff prüfen"
        ) from error
    if stat.S_ISLNK(status.st_mode):
        remedy = f"den Zielordner {folder.resolve()} selbst eintragen"
        raise _unsafe(folder, "ist eine Verknüpfung (Symlink)", remedy)
    if not stat.S_ISDIR(status.st_mode):
        raise _unsafe(folder, "ist kein Ordner", "einen Ordner eintragen")
    if status.st_mode & stat.S_IWOTH:
        raise _unsafe(folder, "darf von allen beschrieben werden", f"chmod o-w {folder}")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        remedy = "dem Dienstkonto Lese- und Schreibrecht geben"
        raise _unsafe(folder, "ist für das Dienstkonto nicht beschreibbar", remedy)


def _check_same_file_system(inbox: Path) -> None:
    """Refuse what would make the claiming rename impossible."""
    if not inbox.is_dir():
        return
    device = inbox.stat().st_dev
    for folder in sorted(path for path in inbox.iterdir() if path.is_dir()):
        if folder.name != CLAIMED and (folder.name.startswith(".") or folder.is_symlink()):
            continue
        _check_one(folder)
        if folder.stat().st_dev != device:
            remedy = f"den Datenträger unter {inbox} selbst einhängen"
            raise _unsafe(folder, "liegt auf einem anderen Datenträger als der Eingang", remedy)


def _is_inside(inner: Path, outer: Path) -> bool:
    return inner.resolve().is_relative_to(outer.resolve())


def _overlap(one: Path, other: Path) -> bool:
    return _is_inside(one, other) or _is_inside(other, one)


def _overlapping(name: str, folder: Path, other_name: str, other: Path) -> UnsafeFolders:
    return _unsafe(
        folder,
        f"({name}) überschneidet sich mit {other} ({other_name})",
        "getrennte Ordner eintragen",
    )


def _unsafe(folder: Path, problem: str, remedy: str) -> UnsafeFolders:
    return UnsafeFolders(
        f"unsafe folder {folder}: {problem}",
        operator_text=f"Ordner {folder} {problem}. Abhilfe: {remedy}.",
    )
