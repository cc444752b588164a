"""The watch folder: lists its inbox again and again and takes what is finished.

One pass drains everything that is ready. A pass never ends because of one file: what
cannot be taken is listed with its reason, what was claimed is finished on a later pass,
and an outage of ledger or store leaves every file where it counts as not yet received.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import structlog

from ingest.document import Queue
from ingest.errors import Outage, ProfileInvalid, ScanstrasseError
from ingest.intake import display_name, name_base64
from ingest.ledger import Ledger, Unaccepted
from ingest.settings import Settings
from ingest.store.port import Store
from scanners.folder.claiming import Claim, ClaimLostToOther, Claims
from scanners.folder.listing import Listing, Refused, list_inbox
from scanners.folder.naming import BUG, CLAIMED, Refusal
from scanners.folder.settling import Settling
from scanners.folder.stacks import Candidate, Grouper, Grouping
from scanners.folder.taking import ProfileShelf, Taking
from scanners.folder.waking import Waking

log = structlog.get_logger(__name__)
_Done = TypeVar("_Done")
_TOGETHER: Final = 64  # claims whose moves are made durable by one sync
_AT_ONCE: Final = 4  # a disk syncs several files in hardly more time than one
_BREATH: Final = 0.2  # seconds between two passes however many events come
_GLANCE: Final = 0.5  # seconds between looks at the stop sign


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """What a pass did.

    Attributes:
        accepted: Arrivals received.
        pending: Files that are waited for, claimed ones of an outage included.
        unaccepted: Entries that are not taken as they are.
        due_in: Seconds until time alone changes something, None if it does not.
    """

    accepted: int
    pending: int
    unaccepted: int
    due_in: float | None = None


class FolderChannel:
    """Takes what people and devices put into the inbox of one tenant."""

    def __init__(  # noqa: PLR0913 - the ports of a channel, each named once, where it is wired
        self,
        settings: Settings,
        tenant: str,
        ledger: Ledger,
        store: Store,
        profiles_loader: ProfileShelf,
        hint: Callable[[Queue], None] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wire the channel; the inbox is touched by the first pass only."""
        self._settings = settings
        self._tenant = tenant
        self._ledger = ledger
        self._shelf = profiles_loader
        self.inbox = settings.inbox(tenant).absolute()
        folder = settings.folder
        self._settling = Settling(folder, monotonic)
        self._grouper = Grouper(self._settling, settings.house.zone, _attempted)
        self._claims = Claims(self.inbox, folder.abandoned_seconds, monotonic)
        self._taking = Taking(settings, tenant, ledger, store, profiles_loader, hint)
        self._reported: list[Unaccepted] | None = None
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Make passes until `stop` is set: at start, on events, and every rescan period."""
        self._stop = stop
        folder = self._settings.folder
        wake = threading.Event()
        waking = Waking(
            self.inbox, wake, polling=folder.polling, seconds=min(folder.rescan_seconds, 5.0)
        )
        try:
            self.prepare()
        except OSError as error:
            log.warning("inbox_not_prepared", inbox=str(self.inbox), error=str(error))
        try:
            while not stop.is_set():
                waking.ensure()
                wake.clear()
                pause = self._guarded_pass()
                self._rest(wake, stop, pause)
        finally:
            waking.stop()

    def prepare(self) -> None:
        """Create the inbox and a subfolder for each profile that may be used.

        Raises:
            OSError: The disk or the permissions do not allow it.
        """
        self.inbox.mkdir(mode=0o770, parents=True, exist_ok=True)
        for name in self._shelf.names(self._settings.profiles):
            try:
                self._shelf.load_released(name, self._settings.profiles)
            except ProfileInvalid as error:
                log.debug("no_subfolder", profile=name, error=error.code)
            else:
                (self.inbox / name).mkdir(mode=0o770, exist_ok=True)

    def pass_once(self) -> PassResult:
        """Look at everything once and take what is finished.

        Raises:
            OSError: The inbox cannot be listed; nothing was claimed.
        """
        (self.inbox / CLAIMED).mkdir(mode=0o700, exist_ok=True)
        stuck: list[Refused] = []
        self._taking.begin_pass()
        accepted = self._finish(self._claims.workable(), stuck)
        listing = list_inbox(self.inbox, self._shelf.names(self._settings.profiles))
        self._observe(listing)
        grouping = self._grouper.group(listing.folders)
        candidates = iter(grouping.candidates)
        while not self._stop.is_set() and not _is_outage(stuck):
            together = list(islice(candidates, _TOGETHER))
            if not together:
                break
            accepted += self._finish(self._claimed(together, grouping), stuck)
        # In its first quiet time a file is not worth a line in the list yet.
        fresh = self._settling.is_fresh
        waiting = [entry for entry in grouping.waiting if not fresh(entry.relative)]
        self._report([*listing.refused, *grouping.refused, *waiting, *stuck])
        return PassResult(
            accepted=accepted,
            pending=len(grouping.waiting) + len(stuck),
            unaccepted=len(listing.refused) + len(grouping.refused),
            due_in=grouping.due_in,
        )

    def _observe(self, listing: Listing) -> None:
        entries = [entry for folder in listing.folders for entry in folder.entries.values()]
        self._settling.observe(entries)
        present = {entry.relative for entry in entries}
        self._settling.forget_others(present | {refused.relative for refused in listing.refused})

    def _claimed(self, candidates: Iterable[Candidate], grouping: Grouping) -> list[Claim]:
        """Claim `candidates` and make the moves durable before any of them is received."""
        claims: list[Claim] = []
        sources: set[Path] = set()
        for candidate in candidates:
            first = candidate.entries[0]
            try:
                claim = _attempted(first.relative, partial(self._claims.claim, candidate.entries))
            except ClaimLostToOther:
                continue
            except OSError as error:
                text = f"Lässt sich nicht übernehmen ({error.strerror}). Bitte Rechte prüfen."
                reason = ("not_movable", text)
                grouping.refused.append(Refused(relative=first.relative, reason=reason))
                continue
            if claim is None:
                grouping.refused.append(Refused(relative=first.relative, reason=BUG))
                continue
            claims.append(claim)
            sources.add(first.path.parent)
        if claims:
            self._claims.sync(sources, claims)
        return claims

    def _finish(self, claims: list[Claim], stuck: list[Refused]) -> int:
        """Finish `claims` and return how many were received; what fails stays claimed."""
        outage = threading.Event()

        def attempt(claim: Claim) -> bool | Refusal:
            if outage.is_set():
                return _AWAITS
            try:
                finishing = partial(self._taking.finish, claim, self._claims)
                done = _attempted(Path(CLAIMED, claim.key), finishing)
            except (ScanstrasseError, OSError) as error:
                log.warning("claim_not_finished", claim=claim.key, error=str(error))
                if isinstance(error, Outage):
                    outage.set()
                return _reason(error)
            return BUG if done is None else done

        received = 0
        with ThreadPoolExecutor(min(_AT_ONCE, len(claims) or 1)) as pool:
            for claim, outcome in zip(claims, pool.map(attempt, claims), strict=True):
                if isinstance(outcome, bool):
                    received += outcome
                    continue
                stuck += [Refused(relative=path, reason=outcome) for path in _lying(claim)]
        return received

    def _report(self, entries: list[Refused]) -> None:
        """Bring the ledger's list of what is not accepted up to date, if it changed."""
        listed: dict[str, Unaccepted] = {}
        for entry in entries:
            name = str(entry.relative)
            code, text = entry.reason
            seen_at = self._settling.first_seen_at(entry.relative)
            listed[name_base64(name)] = Unaccepted(
                name=display_name(name),
                name_base64=name_base64(name),
                reason_code=code,
                operator_text=text,
                first_seen_at=seen_at,
            )
        wanted = sorted(listed.values(), key=lambda entry: entry.name_base64)
        if wanted == self._reported:
            return
        try:
            self._ledger.replace_unaccepted(self._tenant, str(self.inbox), wanted)
        except ScanstrasseError as error:
            log.warning("unaccepted_not_recorded", error=str(error))
        else:
            self._reported = wanted

    def _guarded_pass(self) -> float:
        """Make a pass and return how long to rest; a missing inbox is an outage."""
        rescan = self._settings.folder.rescan_seconds
        try:
            result = self.pass_once()
        except (ScanstrasseError, OSError) as error:
            log.warning("pass_failed", inbox=str(self.inbox), error=str(error))
            return rescan
        return rescan if result.due_in is None else min(rescan, result.due_in)

    def _rest(self, wake: threading.Event, stop: threading.Event, seconds: float) -> None:
        stop.wait(_BREATH)
        end = time.monotonic() + seconds - _BREATH
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            if wake.wait(min(left, _GLANCE)):
                return


def _attempted(relative: Path, work: Callable[[], _Done]) -> _Done | None:
    """Return what `work` for one arrival returns, None if it met a bug; errors we know pass."""
    try:
        return work()
    except (ScanstrasseError, ClaimLostToOther, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - one arrival's bug must not keep out the others
        _tell(relative, error)
        return None


def _tell(relative: Path, bug: Exception) -> None:
    log.error("arrival_met_a_bug", entry=display_name(str(relative)), exc_info=bug)


def _lying(claim: Claim) -> list[Path]:
    """Return where the files of `claim` came from, or where it is itself if nobody can tell."""
    try:
        return [claim.relative(path) for path in claim.files()]
    except OSError:
        return [Path(CLAIMED, claim.key)]


def _is_outage(stuck: list[Refused]) -> bool:
    return any(entry.reason[0] in _OUTAGES for entry in stuck)


def _reason(error: Exception) -> Refusal:
    if isinstance(error, ScanstrasseError):
        return error.code, f"Übernommen, wird erneut versucht: {error.operator_text}"
    return "claim_failed", f"Übernommen, wird erneut versucht: {error}"


_AWAITS: Final = ("claimed", "Übernommen, die Annahme steht noch aus.")
_OUTAGES: Final = frozenset({Outage.code, *(kind.code for kind in Outage.__subclasses__())})
