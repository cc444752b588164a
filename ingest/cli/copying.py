"""The work of `backup` and `restore`: ledger first, then the blobs it names."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingest.cli.app import App
from ingest.document import NOT_RECORDED
from ingest.errors import DigestMismatch, UsageError
from ingest.ledger.anchors import Compared, newest_in, write
from ingest.ledger.backup import check_copy, copy_ledger, note_complete, restore_ledger
from ingest.ledger.reading import referenced
from ingest.store import FolderStore, copy_blobs

_LEDGER: Final = "ledger"
_STORE: Final = "store"
_KEYS: Final = "keys"
_ANCHORS: Final = "anchors"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What was copied, and how restored chains compare with the anchors, by tenant."""

    rows: int
    blobs: int
    beside: dict[str, Compared] = field(default_factory=dict)


def write_backup(app: App, folder: Path) -> Counted:
    """Write a copy that is consistent by order: what the ledger names is stored before it.

    Blobs already in the backup folder are not copied again, so the same folder may be used
    every night; the ledger's copy of the night before is replaced only when the new one is
    complete. What the ledger no longer names, because it was erased, leaves the backup too.
    That a backup was complete becomes an event: paper is destroyed only afterwards.

    Raises:
        DigestMismatch: A blob is missing or damaged; the text names it. The rest is copied.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = folder / f"{_LEDGER}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    target = FolderStore(folder / _STORE)
    blobs, wrong = 0, []
    with app.ledger.reading() as connection:
        copied = copy_ledger(connection, fresh)
        for tenant in copied.roots:
            result = copy_blobs(app.store, target, tenant, referenced(connection, tenant))
            blobs += result.copied + result.present
            wrong += [(tenant, sha) for sha in result.damaged + result.missing]
    _copy_keys(app.settings.keys, folder / _KEYS)
    _copy_anchors(app.settings.anchors, folder / _ANCHORS)
    _replace(folder / _LEDGER, fresh)
    with app.ledger.reading() as connection:
        for tenant in copied.roots:
            named = set(referenced(connection, tenant))
            for sha in [sha for sha in target.digests(tenant) if sha not in named]:
                target.erase(tenant, sha)
            wrong = [(of, sha) for of, sha in wrong if of != tenant or sha in named]
    _require_whole([sha for tenant, sha in wrong if not target.holds(tenant, sha)])
    with app.ledger.writing() as connection:
        note_complete(connection, copied)
    return Counted(rows=sum(copied.rows.values()), blobs=blobs)


def _replace(old: Path, fresh: Path) -> None:
    aside = old.with_name(f"{_LEDGER}.old")
    if old.exists():
        shutil.rmtree(aside, ignore_errors=True)
        old.rename(aside)
    fresh.rename(old)
    shutil.rmtree(aside, ignore_errors=True)


def read_backup(
    app: App, folder: Path, by: str = NOT_RECORDED, anchors: Path | None = None
) -> Counted:
    """Fill an empty installation from a backup and compare it with the anchored heads.

    Anchors are those of this installation, those in the backup and those in `anchors`. What lies
    in the backup itself cannot say whether it is the newest: see `Compared.elsewhere`.

    A missing blob does not keep all others from coming back: everything there is is restored,
    then what is missing is said.

    Raises:
        UsageError: The backup is unusable or the installation is not empty; nothing changed.
        DigestMismatch: A file or a chain of the copied ledger is damaged, and the ledger stays
            empty; or blobs are missing or chains were broken before, and the rest is there.
    """
    check_copy(folder / _LEDGER)
    source, of_backup = FolderStore(folder / _STORE), folder.resolve()
    blobs, wrong = 0, []
    with app.ledger.writing() as connection:
        folders = [app.settings.anchors, folder / _ANCHORS, *([anchors] if anchors else [])]
        copied = restore_ledger(connection, folder / _LEDGER, by, folders)
        independent = [one for one in folders if not one.resolve().is_relative_to(of_backup)]
        for tenant, found in copied.beside.items():
            found.elsewhere = newest_in(independent, tenant)
        for tenant in copied.roots:
            result = copy_blobs(source, app.store, tenant, referenced(connection, tenant))
            blobs += result.copied + result.present
            wrong += result.damaged + result.missing
    _copy_keys(folder / _KEYS, app.settings.keys)
    for kept in folders[1:]:
        _copy_anchors(kept, app.settings.anchors)
    _require_whole(wrong)
    if copied.breaks:
        message = f"{len(copied.breaks)} chains are broken as they were in the copied ledger"
        raise DigestMismatch(
            message,
            operator_text="Wiederhergestellt, aber schon die gesicherten Ketten waren verletzt: "
            + ", ".join(place.chain for place in copied.breaks[:5]),
        )
    return Counted(rows=sum(copied.rows.values()), blobs=blobs, beside=copied.beside)


def _copy_anchors(source: Path, target: Path) -> None:
    """Copy anchors that `target` lacks; what lies there stays, whatever `source` has."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_file() and not path.name.startswith(".") and not place.exists():
            write(place, path.read_bytes())


def _require_whole(wrong: list[str]) -> None:
    if wrong:
        text = (
            f"{len(wrong)} Objekte fehlen oder sind beschädigt, zuerst {wrong[0]}; alles Übrige "
            "ist übertragen. „verify“ nennt die betroffenen Stellen."
        )
        raise DigestMismatch(f"blobs missing or damaged: {wrong[:5]}", operator_text=text)


def _copy_keys(source: Path, target: Path) -> None:
    """Copy the installation key, so that a restored system seals as the same installation."""
    if not source.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in source.iterdir():
        place = target / file.name
        if file.is_file() and not place.exists():
            _copy_key(file, place)
        elif file.is_file() and place.read_bytes() != file.read_bytes():
            message = f"{place} holds another key"
            raise UsageError(
                message,
                operator_text=f"{place} enthält einen anderen Schlüssel als die Sicherung.",
            )


def _copy_key(source: Path, place: Path) -> None:
    """Copy at once and durably: half a key would be another key for every later backup."""
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as stream:
        stream.write(source.read_bytes())
        stream.flush()
        os.fsync(stream.fileno())
    half = Path(stream.name)
    shutil.copymode(source, half)
    half.rename(place)
