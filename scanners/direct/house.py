"""`Acceptance` straight into ledger and store, in the order that nothing is lost by.

The bytes of a page are durable in the store, then the ledger commits, and only then does
`append` return (DESIGN rule 2).
"""

from __future__ import annotations

import datetime as dt
import io
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import profiles
from ingest.document import Facts, Priority, ProfileChoice, Queue, Source
from ingest.errors import (
    ProfileInvalid,
)
from ingest.intake import name_base64
from ingest.ledger import Arrival, Ledger, devices, leases, stacks
from ingest.store import FolderStore, Store
from scanners.device import Device, ScanSettings
from scanners.direct import operators
from scanners.direct.agreeing import require_agreement, require_own
from scanners.direct.arriving import Ended, arrival, manifest, seen_device
from scanners.direct.faults import faults
from scanners.direct.judging import judged
from scanners.stack import (
    Closing,
    KnownPage,
    Lease,
    OfferedProfile,
    Opening,
    StackPage,
    StackState,
)

if TYPE_CHECKING:
    from profiles import LoadedProfile

#: By how much the clock of a station may differ before that is recorded; our choice.
CLOCK_TOLERANCE: Final = dt.timedelta(seconds=60)
_REPLACING: Final = "replacing"


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """From where stacks come.

    Attributes:
        tenant: Whose stacks.
        station: Code of the workstation, None for this machine.
        clock_offset: By how much the station's clock is ahead, None where it is ours.
        machine: Name of this machine, for the right to use a device and nothing else: several may
            scan into one ledger. Containers have one each unless somebody gives them the same.
    """

    tenant: str
    station: str | None = None
    clock_offset: dt.timedelta | None = None
    machine: str = field(default_factory=socket.gethostname)


class DirectHouse:
    """The house of one tenant, as one workstation sees it. Safe for several threads."""

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        workplace: Workplace,
        *,
        house_profiles: Path | None = None,
        hint: Callable[[Queue], None] | None = None,
    ) -> None:
        """Take ledger and store.

        Args:
            ledger: Where stacks are recorded.
            store: Where bytes are kept.
            workplace: From where.
            house_profiles: Folder with the house's own profiles.
            hint: Told that inspection has work; it must not raise.
        """
        self._ledger, self._store, self._tenant = ledger, store, workplace.tenant
        self._station, self._clock_offset = workplace.station, workplace.clock_offset
        self._house_profiles, self._hint = house_profiles, hint
        self._machine = f"{leases.MACHINE}{workplace.machine}"

    def profiles(self) -> list[OfferedProfile]:
        """Return the profiles to scan paper under, by name; faulty ones are left out."""
        offered = []
        for name in profiles.names(self._house_profiles):
            try:
                loaded = profiles.load_released(name, self._house_profiles)
            except ProfileInvalid:
                continue
            if loaded.profile.is_scanned:
                offered.append(_offered(loaded))
        return offered

    def admit(self, device: Device, profile: str, operator: str | None) -> None:
        """Make a device known, and refuse it or the person where the profile needs others.

        Raises:
            Refused: As the port says.
        """
        with faults():
            operators.require_codes(operator)
            loaded, seen = self._loaded(profile), seen_device(device, self._station)
            treatment = loaded.profile.treatment
            with self._ledger.writing() as connection:
                devices.see(connection, self._tenant, seen)
            self._ledger.require_admitted(self._tenant, profile, loaded.sha256, treatment)
            if treatment == _REPLACING:
                with self._ledger.reading() as connection:
                    operators.require_person(connection, self._tenant, operator)
                    devices.require_released(connection, self._tenant, seen)

    def open(self, opening: Opening) -> StackState:
        """Make the stack known, or return it: then nothing is asked any more. See the port.

        Raises:
            Refused: As the port says.
        """
        with faults():
            operators.require_codes(opening.operator)
            begun = self._begun(opening.key)
            if begun is not None:
                return begun
            loaded = self._loaded(opening.profile)
            wish = stacks.Wish(
                tenant=self._tenant,
                key=opening.key,
                station=self._station,
                operator=opening.operator,
                profile=ProfileChoice(
                    name=opening.profile,
                    sha256=loaded.sha256,
                    content=loaded.facts(),
                    priority=int(Priority[loaded.profile.priority.upper()]),
                ),
                device=f"{opening.device.vendor} {opening.device.model}".strip(),
                said=opening.to_json(),
                anomalies=self._anomalies(),
            )
            with self._ledger.writing() as connection:
                devices.see(connection, self._tenant, seen_device(opening.device, self._station))
                row = stacks.begin(connection, wish)
                require_own(row, self._station)
                pages = stacks.pages_of(connection, row.id)
        return state_of(row, pages)

    def _begun(self, key: str) -> StackState | None:
        """Return a stack that was let in: the version it began under holds to its end."""
        with self._ledger.reading() as connection:
            row = stacks.known(connection, self._tenant, key)
            if row is None:
                return None
            require_own(row, self._station)
            return state_of(row, stacks.pages_of(connection, row.id))

    def state(self, key: str) -> StackState:
        """Return what there is of a stack.

        Raises:
            Refused: As the port says.
        """
        with faults(), self._ledger.reading() as connection:
            row, pages = stacks.found(connection, self._tenant, key)
            if self._station is not None:
                require_own(row, self._station)
        return state_of(row, pages)

    def append(self, key: str, page: StackPage) -> bool:
        """Take a page; it is durable when this returns. See the port.

        Raises:
            Refused: As the port says.
            OSError: The file is gone or out of reach; nothing was taken.
        """
        scanned = page.page
        taken = stacks.TakenPage(
            number=scanned.facts.number,
            attempt=page.attempt,
            sha256=scanned.sha256,
            size=scanned.size,
            media_type=scanned.media_type,
            facts=scanned.facts.to_json(),
            scanned_by=page.scanned_by,
        )
        with faults():
            operators.require_codes(page.scanned_by)
            self._keep(page)
            with self._ledger.writing() as connection:
                require_own(stacks.named(connection, self._tenant, key), self._station)
                is_new = stacks.append(connection, self._tenant, key, taken)
                for anomaly in self._anomalies():
                    stacks.note_anomaly(connection, self._tenant, key, anomaly)
            if not self._store.holds(self._tenant, scanned.sha256):
                self._keep(page)  # somebody erased the same bytes meanwhile
        return is_new

    def close(self, key: str, closing: Closing) -> StackState:
        """End the stack: it is a batch that was received. See the port.

        Raises:
            Refused: As the port says.
        """
        said = [(page.number, page.attempt, page.sha256) for page in closing.pages]
        with faults():
            operators.require_codes(closing.closed_by)
            ended = self.ended(key, closing)

            def build(row: stacks.Row, pages: stacks.Rows, content: Facts) -> Arrival:
                if ended is None:
                    message = f"stack {key} was closed and has no receipt"
                    raise RuntimeError(message)
                require_agreement(row, stacks.counting(pages), closing)
                return arrival(row, pages, content, ended)

            with self._ledger.writing() as connection:
                stacks.close(connection, self._tenant, key, said, build)
        if self._hint is not None:
            self._hint(Queue.INSPECTION)
        return self.state(key)

    def lease(self, device: Device, operator: str | None, seconds: float) -> Lease:
        """Take the right to use a device.

        Raises:
            DeviceLeased: Somebody else has it.
            Refused: As the port says.
        """
        # What hangs at a workstation is another device at each, and each tenant has its own codes.
        desk = self._machine if self._station is None else f"{self._tenant}/{self._station}"
        name = seen_device(device, desk).device
        with faults(), self._ledger.writing() as connection:
            operators.require_codes(operator)
            token = leases.take(
                connection,
                self._tenant,
                name,
                place=self._station or self._machine,
                operator=operator,
                lease=dt.timedelta(seconds=seconds),
            )
        return Lease(device=name, token=token, seconds=seconds)

    def renew(self, lease: Lease) -> None:
        """Keep the right from now.

        Raises:
            LeaseLost: It ended before.
        """
        length = dt.timedelta(seconds=lease.seconds)
        with faults(), self._ledger.writing() as connection:
            leases.renew(connection, self._tenant, lease.device, lease.token, length)

    def give_back(self, lease: Lease) -> None:
        """End the right."""
        with faults(), self._ledger.writing() as connection:
            leases.give_back(connection, self._tenant, lease.device, lease.token)

    def ended(self, key: str, closing: Closing) -> Ended | None:
        """Return how a stack ends, its manifest kept; None where it ended before."""
        with self._ledger.reading() as connection:
            row, pages = stacks.found(connection, self._tenant, key)
            if self._station is not None:
                require_own(row, self._station)
            if not row.said:
                return None
            found = judged(connection, row, stacks.counting(pages), closing)
        return Ended(
            closing=closing,
            manifest=self._kept(row, manifest(row, pages, closing)),
            inventory=found.inventory,
            objections=found.objections,
            anomalies=found.anomalies,
        )

    def _kept(self, row: stacks.Row, said: Facts) -> Source:
        content = json.dumps(said, ensure_ascii=False).encode()
        blob = self._store.put(self._tenant, io.BytesIO(content))
        name = f"{row.key}.json"
        return Source(
            ordinal=1,
            name=name,
            name_base64=name_base64(name),
            sha256=blob.sha256,
            size=blob.size,
        )

    def _loaded(self, name: str) -> LoadedProfile:
        loaded = profiles.load_released(name, self._house_profiles)
        if not loaded.profile.is_scanned:
            text = (
                f"Das Profil '{name}' ist für elektronische Eingänge; Papier wird darunter nicht "
                "gescannt. Bitte ein anderes wählen, z. B. 'posteingang'."
            )
            raise ProfileInvalid(f"{name} is not for paper", operator_text=text)
        return loaded

    def _anomalies(self) -> tuple[dict[str, object], ...]:
        offset = self._clock_offset
        if offset is None or abs(offset) <= CLOCK_TOLERANCE:
            return ()
        seconds = round(offset.total_seconds())
        way = "vor" if seconds > 0 else "nach"
        text = f"Die Uhr des Arbeitsplatzes ging um {abs(seconds)} Sekunden {way}"
        return ({"kind": "station_clock", "seconds": seconds, "text": text},)

    def _keep(self, page: StackPage) -> None:
        if isinstance(self._store, FolderStore):
            blob = self._store.adopt(self._tenant, page.page.path)
        else:
            with page.page.path.open("rb", buffering=0) as stream:
                blob = self._store.put(self._tenant, stream)
        if blob.sha256 != page.page.sha256:
            number = page.page.facts.number
            text = (
                f"Seite {number} hat eine andere Prüfsumme als beim Scannen. Bitte das Blatt neu "
                "scannen und Festplatte und Leitung prüfen lassen."
            )
            message = f"page {number}: digest {blob.sha256}, not {page.page.sha256}"
            raise stacks.StackRefused(message, operator_text=text, code="page_disagrees")


def _offered(loaded: LoadedProfile) -> OfferedProfile:
    profile = loaded.profile
    return OfferedProfile(
        name=profile.name,
        title=profile.title,
        treatment=profile.treatment,
        settings=ScanSettings.from_json(profile.scanning()),
    )


def state_of(row: stacks.Row, pages: stacks.Rows) -> StackState:
    """Return what there is of a stack, from its row and the rows of all its pages."""
    known = tuple(
        KnownPage(number=page.number, attempt=page.attempt, sha256=page.sha256)
        for page in stacks.counting(pages)
    )
    return StackState(
        batch_id=row.id,
        pages=known,
        is_closed=row.closed_at is not None,
        is_discarded=row.discarded_at is not None,
    )
