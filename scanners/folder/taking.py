"""From a claim to a receipt, and only then away with the source.

Everything is derived from what lies in the claim and stands in the ledger, so a claim is
finished by the same steps whether it was made a moment ago or before a crash.
"""

from __future__ import annotations

import contextlib
import hashlib
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from ingest import intake
from ingest.content import completeness, kind_of
from ingest.document import Envelope, Priority, Queue
from ingest.errors import Incomplete, ProfileInvalid
from ingest.intake import Delivered, Held, Request, display_name, name_base64
from ingest.ledger import Ledger, Receipt, Shift
from ingest.manifest import Manifest, ManifestSource
from ingest.settings import Settings
from ingest.store.port import Store
from scanners.folder.claiming import Claim, Claims
from scanners.folder.listing import fingerprint
from scanners.folder.naming import MANIFEST_SUFFIX, STACK_MANIFEST
from scanners.folder.settling import is_open_for_writing
from scanners.folder.stacks import companions, members, read_stack

if TYPE_CHECKING:
    from profiles import LoadedProfile

log = structlog.get_logger(__name__)
DEFAULT_PROFILE: Final = "posteingang"
_SHIFT_SECONDS: Final = 1.0
_CHUNK: Final = 1 << 20
_Mark = tuple[int, int, int, int]
_KEPT: Final = (
    "„{name}“ ist unverändert aufbewahrt: »show KENNUNG« nennt sie, »export KENNUNG --what "
    "manifest« schreibt sie heraus. Was darin steht, ist nicht übernommen; auch Bearbeiter und "
    "Gerät sind nicht erfasst. Freigeben ohne sie: »release«, ein Eingangsdatum dazu mit "
    "'received_at=JJJJ-MM-TT'."
)


class ProfileShelf(Protocol):
    """Where profiles come from; the package `profiles` is one."""

    def names(self, house: Path | None = None) -> list[str]:
        """Return the names of all profiles."""
        ...

    def load_released(self, name: str, house: Path | None = None) -> LoadedProfile:
        """Return the profile `name`.

        Raises:
            ProfileInvalid: There is none of this name that may be used.
        """
        ...


@dataclass(kw_only=True)
class _Contents:
    """What lies in a claim."""

    folder: Path = Path()  #: below the inbox
    documents: list[Path] = field(default_factory=list)
    control: list[Path] = field(default_factory=list)
    strays: list[Path] = field(default_factory=list)  #: no regular files, or not of this stack
    manifest: Manifest = field(default_factory=Manifest)
    announced: tuple[ManifestSource, ...] = ()
    problem: Held | None = None


class Taking:
    """Finishes claims of one inbox."""

    def __init__(
        self,
        settings: Settings,
        tenant: str,
        ledger: Ledger,
        store: Store,
        shelf: ProfileShelf,
        hint: Callable[[Queue], None] | None,
    ) -> None:
        """Take what a claim needs on its way; nothing is opened."""
        self._settings = settings
        self._tenant = tenant
        self._ledger = ledger
        self._store = store
        self._shelf = shelf
        self._hint = hint
        self._digests: dict[Path, tuple[_Mark, str]] = {}
        self._loaded: dict[str, LoadedProfile] = {}
        self._inboxes: set[Path] = set()
        self._shifts: dict[str, tuple[float, Shift | None]] = {}

    def begin_pass(self) -> None:
        """Ask for profiles and shifts anew: both may change at any time."""
        self._loaded.clear()
        self._shifts.clear()
        self._inboxes = {Path(), *map(Path, self._shelf.names(self._settings.profiles))}

    def finish(self, claim: Claim, claims: Claims) -> bool:
        """Receive what is in `claim` and remove it; True if it was received by this call.

        Files that changed after they were hashed go back to the inbox as new arrivals. A file
        that somebody still writes to stays claimed and is looked at again.

        Raises:
            ScanstrasseError: Nothing was removed; the claim may be finished later.
            OSError: As above.
        """
        receipt = None if claim.is_fresh else self._ledger.receipt(claim.key)
        if receipt is None and not claim.is_fresh:
            claim.gather()
        contents = self._contents(claim)
        for stray in contents.strays:
            claim.give_back(stray)
        is_new = receipt is None and bool(contents.documents)
        if is_new:
            receipt = self._received(claim, contents)
        if receipt is not None:
            self._let_go(claim, contents, receipt)
        elif not contents.documents:
            for path in contents.control:
                claim.give_back(path)
        if claims.close(claim) and contents.folder not in self._inboxes:
            with contextlib.suppress(OSError):  # the folder of a stack, if nothing else is in it
                (self._settings.inbox(self._tenant) / contents.folder).rmdir()
        return is_new

    def _received(self, claim: Claim, contents: _Contents) -> Receipt:
        """Receive, and remember what each file looked like just before it was read."""
        before = {path: _mark(path) for path in contents.documents}
        receipt = intake.receive_new(
            self._ledger,
            self._store,
            self._request(claim, contents),
            hint=self._hint,
            alive=claim.touch,
        )
        shas = {source.name_base64: source.sha256 for source in receipt.sources}
        for path, mark in before.items():
            self._digests[path] = mark, shas.get(name_base64(path.name), "")
        return receipt

    def _let_go(self, claim: Claim, contents: _Contents, receipt: Receipt) -> None:
        """Remove what is durable elsewhere; keep or give back what is not exactly that."""
        shas = {source.name_base64: source.sha256 for source in receipt.sources}
        busy = False
        for path in contents.documents:
            # First nobody writes, then nothing has changed: in this order nothing slips through,
            # as nobody else can open a file in the claim by its name.
            if is_open_for_writing(path):
                busy = True
            elif self._digest(path, claim) == shas.get(name_base64(path.name)):
                path.unlink()
                self._digests.pop(path, None)
            else:
                # A stack that is gone takes no page more: the page arrives anew, on its own.
                folder = contents.folder
                home = folder if folder in self._inboxes else folder.parent
                returned = claim.give_back(path, home)
                log.warning("source_changed_and_returned", name=display_name(returned.name))
        if not busy:
            for path in contents.control:
                if self._is_kept(path, claim):
                    path.unlink(missing_ok=True)
                else:
                    claim.give_back(path)

    def _is_kept(self, path: Path, claim: Claim) -> bool:
        """Tell whether nothing is lost with `path`; a manifest may have been written to since."""
        if not path.exists() or not path.name.endswith(MANIFEST_SUFFIX):
            return True
        return self._store.holds(self._tenant, self._digest(path, claim))

    def _digest(self, path: Path, claim: Claim) -> str:
        """Return the digest of `path`, from memory when it has not been touched since."""
        known = self._digests.get(path)
        if known is not None and known[0] == _mark(path):
            return known[1]
        mark, digest = _mark(path), hashlib.sha256()
        with path.open("rb") as stream:
            while piece := stream.read(_CHUNK):
                digest.update(piece)
                claim.touch()
        if _mark(path) == mark:
            self._digests[path] = mark, digest.hexdigest()
        return digest.hexdigest()

    def _contents(self, claim: Claim) -> _Contents:
        contents = _Contents()
        regular: dict[str, Path] = {}
        for path in claim.files():
            if stat.S_ISREG(path.lstat().st_mode):
                contents.folder = claim.relative(path).parent
                regular[path.name] = path
            else:
                contents.strays.append(path)
        own = companions(regular)
        control = {name for group in own.values() for name in group}
        if STACK_MANIFEST in regular:
            self._read(regular[STACK_MANIFEST], contents)
            named = [entry.name for entry in contents.announced]
            names = members(set(regular) - control, named)
            control |= {STACK_MANIFEST}
        else:
            names = sorted(set(regular) - control)
            for name in sorted(control):
                if name.endswith(MANIFEST_SUFFIX):
                    self._read(regular[name], contents)
        contents.documents = [regular[name] for name in names]
        contents.control = [regular[name] for name in sorted(control - set(names))]
        known = {*contents.documents, *contents.control}
        contents.strays += [path for path in regular.values() if path not in known]
        return contents

    def _read(self, path: Path, contents: _Contents) -> None:
        manifest, named, contents.problem = read_stack(path, self._settings.house.zone)
        if contents.problem is not None:
            code, text = contents.problem
            contents.problem = code, f"{text} {_KEPT.format(name=display_name(path.name))}"
        if manifest is None:
            contents.announced = tuple(ManifestSource.model_construct(name=name) for name in named)
        else:
            contents.manifest = manifest
            contents.announced = manifest.sources or ()

    def _request(self, claim: Claim, contents: _Contents) -> Request:
        first = Path(*contents.folder.parts[:1])
        inbox = first.name if first in self._inboxes else ""
        loaded, refused = self._profile(contents.manifest.profile, inbox)
        held = [contents.problem, refused, *map(_incomplete, contents.documents)]
        found = [entry for entry in held if entry is not None]
        return Request(
            tenant=self._tenant,
            receipt_key=claim.key,
            envelope=self._envelope(contents, inbox, loaded.profile.name),
            profile=loaded.facts(),
            profile_sha256=loaded.sha256,
            priority=Priority[loaded.profile.priority.upper()],
            files=tuple(Delivered(path=path, name=path.name) for path in contents.documents),
            announced=contents.announced,
            held=(found[0][0], " ".join(text for _, text in found)) if found else None,
            manifests=tuple(
                Delivered(path=path, name=path.name)
                for path in contents.control
                if path.name.endswith(MANIFEST_SUFFIX)
            ),
        )

    def _profile(self, wanted: str | None, inbox: str) -> tuple[LoadedProfile, Held | None]:
        """Return the profile to use, and why a person has to look if it is not the wanted one."""
        first = wanted or inbox or DEFAULT_PROFILE
        try:
            return self._load(first), None
        except ProfileInvalid as error:
            if first == DEFAULT_PROFILE:
                raise
            text = (
                f"{error.operator_text} Angenommen wurde mit dem Profil „{DEFAULT_PROFILE}“. Bitte "
                "mit »release« freigeben, um es dabei zu belassen, oder diese Einlieferung "
                "zurückweisen und mit richtigem Profil neu einreichen."
            )
            return self._load(DEFAULT_PROFILE), (error.code, text)

    def _load(self, name: str) -> LoadedProfile:
        if name not in self._loaded:
            self._loaded[name] = self._shelf.load_released(name, self._settings.profiles)
        return self._loaded[name]

    def _envelope(self, contents: _Contents, inbox: str, profile: str) -> Envelope:
        """Say what is known: the manifest first, then whoever has signed on at this inbox.

        A manifest that was not understood may name somebody else, so then nobody is named.
        """
        said = contents.manifest
        shift = None
        if contents.problem is None and (said.operator is None or said.device is None):
            shift = self._shift(inbox)
        return Envelope(
            profile=profile,
            channel="folder",
            operator=said.operator or (shift.operator if shift else None),
            received_at=said.received_at,
            received_at_source=None if said.received_at is None else STACK_MANIFEST,
            scanned_at=said.scanned_at,
            device=said.device or (shift.device if shift else None),
            storage_place=said.storage_place,
            expected_sheets=said.expected_sheets,
            expected_consignments=said.expected_consignments,
            sides=said.sides,
        )

    def _shift(self, inbox: str) -> Shift | None:
        """Return who stands at `inbox`, asked at most once a second while a heap is drained."""
        asked_at, shift = self._shifts.get(inbox, (-_SHIFT_SECONDS, None))
        now = time.monotonic()
        if now - asked_at >= _SHIFT_SECONDS:
            shift = self._ledger.current_shift(self._tenant, inbox)
            self._shifts[inbox] = now, shift
        return shift


def _incomplete(path: Path) -> Held | None:
    found = completeness(path, kind_of(path))
    if found.complete:
        return None
    text = (
        f"„{display_name(path.name)}“: {found.operator_text}. Bitte das Papier neu scannen oder "
        "die Datei neu anfordern und diese Einlieferung zurückweisen. Mit 'as_is=yes' freigeben, "
        "um die Datei unverändert weiterzugeben."
    )
    return Incomplete.code, text


def _mark(path: Path) -> _Mark:
    return fingerprint(path.lstat())
