"""What belongs together: single files with their companions, and stacks with `batch.json`.

A stack whose pages take longer to write than the quiet time needs a folder of its own: in
the inbox itself, pages that rest before their `batch.json` appears are single arrivals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from ingest.errors import ManifestInvalid
from ingest.intake import display_name
from ingest.manifest import Manifest, named_sources, parse_manifest
from scanners.folder.listing import Entry, Folder, Refused
from scanners.folder.naming import (
    BUG,
    MANIFEST_SUFFIX,
    READY_SUFFIX,
    STACK_MANIFEST,
    Refusal,
    natural,
)
from scanners.folder.settling import Settling, Verdict


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Files that may be claimed now, as one arrival.

    Attributes:
        entries: In the order they are claimed: of a stack its manifest first.
    """

    entries: tuple[Entry, ...]


@dataclass(kw_only=True)
class Grouping:
    """What a pass found: what can be taken, what waits, and when to look again."""

    candidates: list[Candidate] = field(default_factory=list)
    waiting: list[Refused] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    due_in: float | None = None

    def wait(self, entry: Entry, verdict: Verdict) -> None:
        """Note that `entry` is not taken now."""
        if verdict.reason is not None:
            kept = self.waiting if verdict.due_in is not None else self.refused
            kept.append(Refused(relative=entry.relative, reason=verdict.reason))
        if verdict.due_in is not None:
            self.due_in = min(verdict.due_in, self.due_in or verdict.due_in)


_Done = TypeVar("_Done")
_WAITS: Final = "waiting_for_files"


def companions(names: Iterable[str]) -> dict[str, list[str]]:
    """Return, for each file, its `.ready` marker and `<file>.json` among `names`."""
    present = set(names)
    found: dict[str, list[str]] = {}
    for name in sorted(present):
        for suffix in (MANIFEST_SUFFIX, READY_SUFFIX):
            if name.endswith(suffix) and name.removesuffix(suffix) in present:
                found.setdefault(name.removesuffix(suffix), []).append(name)
    return found


def members(names: Iterable[str], named: Iterable[str]) -> list[str]:
    """Return which of `names` belong to the stack, in its order.

    A manifest that names its files takes those, whatever Unicode form they have; one that
    does not takes all that have no manifest of their own.

    Args:
        names: What lies beside the manifest.
        named: File names found in it.
    """
    present = {name for name in names if name != STACK_MANIFEST}
    named = tuple(named)
    if not named:
        own = companions(present)
        control = {name for group in own.values() for name in group}
        loose = {n for n in present - control if n + MANIFEST_SUFFIX not in present}
        return sorted((n for n in loose if not _is_marker(n)), key=natural)
    by_display: dict[str, list[str]] = {}
    for name in sorted(present):
        by_display.setdefault(display_name(name), []).append(name)
    chosen = []
    for name in named:
        alike = by_display.get(display_name(name), [])
        chosen += [name] if name in present else alike[:1]
    return list(dict.fromkeys(chosen))


def _is_marker(name: str) -> bool:
    return name.endswith(READY_SUFFIX)


def read_stack(path: Path, zone: str) -> tuple[Manifest | None, tuple[str, ...], Refusal | None]:
    """Return the manifest, the names in it, and what is wrong with it.

    Raises:
        OSError: It is gone or out of reach.
    """
    try:
        manifest = parse_manifest(path, zone)
    except ManifestInvalid as error:
        return None, named_sources(path), (error.code, error.operator_text)
    return manifest, tuple(source.name for source in manifest.sources or ()), None


class Attempt(Protocol):
    """Keeps a bug that one entry meets from the others."""

    def __call__(self, relative: Path, work: Callable[[], _Done]) -> _Done | None:
        """Return what `work` for the entry `relative` returns, None if it met a bug."""
        ...


class Grouper:
    """Sorts the entries of folders into candidates and what waits."""

    def __init__(self, settling: Settling, zone: str, attempt: Attempt) -> None:
        """Judge files by `settling`, each in an `attempt`; dates without zone are in `zone`."""
        self._settling = settling
        self._zone = zone
        self._attempt = attempt

    def group(self, folders: Iterable[Folder]) -> Grouping:
        """Return what can be taken from `folders`, oldest first."""
        grouping = Grouping()
        for folder in folders:
            taken: set[str] = set()
            if STACK_MANIFEST in folder.entries:
                entry = folder.entries[STACK_MANIFEST]
                found = self._attempt(entry.relative, partial(self._stack, folder, grouping))
                if found is None:
                    grouping.refused.append(Refused(relative=entry.relative, reason=BUG))
                    found = set(folder.entries) if folder.is_stack else {STACK_MANIFEST}
                taken = found
            elif folder.is_stack:
                continue
            rest = {name: e for name, e in folder.entries.items() if name not in taken}
            if folder.is_stack:
                grouping.refused += [_not_announced(entry) for entry in rest.values()]
            else:
                self._singles(rest, grouping)
        grouping.candidates.sort(key=lambda candidate: candidate.entries[0].status.st_mtime_ns)
        return grouping

    def _stack(self, folder: Folder, grouping: Grouping) -> set[str]:
        """Decide about the stack of `folder` and return the names that belong to it."""
        entry = folder.entries[STACK_MANIFEST]
        try:
            _, named, problem = read_stack(entry.path, self._zone)
        except OSError as error:
            grouping.wait(entry, _out_of_reach(error))
            return {STACK_MANIFEST}
        names = members(folder.entries, named)
        rest = self._settling.rest(entry)
        if problem is not None:
            if rest > 0:
                grouping.wait(entry, Verdict(taken=False, reason=problem, due_in=rest))
                return {STACK_MANIFEST, *names} if named or folder.is_stack else {STACK_MANIFEST}
            if not (named or folder.is_stack):  # nobody knows which files it meant
                names = []
        missing = len(set(map(display_name, named)) - set(map(display_name, names)))
        if not names or (missing and rest > 0):
            due_in = rest if rest > 0 else None
            reason = problem or _nothing_there(named)
            grouping.wait(entry, Verdict(taken=False, reason=reason, due_in=due_in))
            return {STACK_MANIFEST, *names}
        own = companions(folder.entries)
        files = [folder.entries[name] for name in names]
        extra = [folder.entries[c] for name in names for c in own.get(name, ()) if c not in names]
        if self._all_settled(files, grouping, closed=problem is None):
            grouping.candidates.append(Candidate(entries=(entry, *files, *extra)))
        return {STACK_MANIFEST, *names, *(e.name for e in extra)}

    def _all_settled(self, files: list[Entry], grouping: Grouping, *, closed: bool) -> bool:
        settled = True
        for file in files:
            verdict = self._judge(file, closed=closed)
            # A type we do not know is taken with its stack: inspection shows it to a person.
            if not verdict.taken and (verdict.reason or ("", ""))[0] != "unknown_type":
                settled = False
                grouping.wait(file, verdict)
        return settled

    def _singles(self, entries: Mapping[str, Entry], grouping: Grouping) -> None:
        own = companions(entries)
        control = {name for group in own.values() for name in group}
        for name, entry in entries.items():
            if name in control:
                continue
            if (orphan := _orphan(name)) is not None:
                # It may have come a moment before its file.
                rest = max(self._settling.rest(entry), 0.0) or None
                grouping.wait(entry, Verdict(taken=False, reason=orphan, due_in=rest))
                continue
            beside = [entries[other] for other in own.get(name, ())]
            verdict = self._attempt(entry.relative, partial(self._single, entry, beside))
            if verdict is None:
                grouping.refused.append(Refused(relative=entry.relative, reason=BUG))
            elif verdict.taken:
                grouping.candidates.append(Candidate(entries=(entry, *beside)))
            else:
                grouping.wait(entry, verdict)

    def _single(self, entry: Entry, beside: list[Entry]) -> Verdict:
        """Decide about a file; a companion older than the file belonged to another one."""
        for other in beside:
            if not other.name.endswith(MANIFEST_SUFFIX):
                continue
            rest = self._settling.rest(other)
            try:
                problem = read_stack(other.path, self._zone)[2]
            except OSError as error:
                return _out_of_reach(error)
            if problem is not None and rest > 0:  # it may still be written
                return Verdict(taken=False, reason=problem, due_in=rest)
        written = entry.status.st_mtime_ns
        closed = any(other.status.st_mtime_ns >= written for other in beside)
        return self._judge(entry, closed=closed)

    def _judge(self, entry: Entry, *, closed: bool) -> Verdict:
        try:
            return self._settling.judge(entry, closed=closed)
        except FileNotFoundError:  # gone between listing and looking
            return Verdict(taken=False, due_in=0.0)
        except OSError as error:
            return _out_of_reach(error)


def _orphan(name: str) -> Refusal | None:
    """Say that a companion has lost its file, None for an ordinary name."""
    base = name.removesuffix(READY_SUFFIX)
    if base != name:
        text = f"Fertig-Marke ohne ihre Datei „{display_name(base)}“. Bitte die Datei nachreichen."
        return "companion_without_file", text
    base = name.removesuffix(MANIFEST_SUFFIX)
    if base != name and Path(base).suffix:
        text = f"Begleitdatei ohne ihre Datei „{display_name(base)}“. Bitte die Datei nachreichen."
        return "companion_without_file", text
    return None


def _not_announced(entry: Entry) -> Refused:
    text = (
        f"Steht nicht in der {STACK_MANIFEST} dieses Stapels, nicht angenommen. Bitte einzeln in "
        "den Eingang legen oder entfernen."
    )
    return Refused(relative=entry.relative, reason=("not_announced", text))


def _nothing_there(named: Iterable[str]) -> Refusal:
    listed = ", ".join(f"„{display_name(name)}“" for name in named)
    what = f"Es fehlen: {listed}" if listed else "Es liegt keine Datei dabei"
    return _WAITS, f"Der Stapel hat keine Dateien. {what}. Bitte die Dateien dazulegen."


def _out_of_reach(error: OSError) -> Verdict:
    text = f"Nicht lesbar ({error.strerror}). Bitte Zugriffsrechte und Datenträger prüfen."
    return Verdict(taken=False, reason=("unreadable_file", text))
