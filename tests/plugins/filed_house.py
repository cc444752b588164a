"""A house of files: every stack is a JSON file, written anew and synced before anybody is told."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scanners.device import Device, ScanSettings
from scanners.stack import (
    Closing,
    DeviceLeased,
    KnownPage,
    Lease,
    LeaseLost,
    ManifestDisagrees,
    OfferedProfile,
    Opening,
    Refused,
    StackPage,
    StackState,
)

_LOCK = threading.Lock()
_TREATMENTS = {"posteingang": "copying", "ersetzend-normal": "replacing"}


class FiledHouse:
    """Keeps stacks below a folder; no device is released in it."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.leases: dict[str, Lease] = {}

    def profiles(self) -> list[OfferedProfile]:
        return [
            OfferedProfile(name=name, title=name, treatment=treatment, settings=ScanSettings())
            for name, treatment in sorted(_TREATMENTS.items())
        ]

    def admit(self, device: Device, profile: str) -> None:
        if _TREATMENTS.get(profile) == "replacing":
            raise _refused("device_not_released")
        self._require(profile)

    def open(self, opening: Opening) -> StackState:
        self._require(opening.profile)
        with _LOCK:
            if not self._path(opening.key).exists():
                said = opening.to_json()
                self._write(opening.key, {"id": str(uuid.uuid4()), "said": said, "pages": []})
        return self.state(opening.key)

    def state(self, key: str) -> StackState:
        said = self._read(key)
        last = {page["number"]: page for page in said["pages"]}
        pages = tuple(KnownPage(**last[number]) for number in sorted(last))
        return StackState(batch_id=said["id"], pages=pages, is_closed="closing" in said)

    def append(self, key: str, page: StackPage) -> bool:
        content = page.page.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != page.page.sha256:
            raise _refused("page_disagrees")
        new = KnownPage(
            number=page.page.facts.number, attempt=page.attempt, sha256=page.page.sha256
        )
        with _LOCK:
            said = self._read(key)
            there = [each for each in said["pages"] if _place(each) == _place(asdict(new))]
            if there and there[0]["sha256"] != new.sha256:
                raise _refused("page_disagrees")
            if there:
                return False
            if "closing" in said:
                raise _refused("stack_closed")
            said["pages"] = sorted([*said["pages"], asdict(new)], key=_place)
            self._write(key, said)
        return True

    def close(self, key: str, closing: Closing) -> StackState:
        with _LOCK:
            said = self._read(key)
            if self.state(key).pages != closing.pages:
                message = "other pages"
                raise ManifestDisagrees(message, operator_text="Es fehlen Seiten.")
            self._write(key, said | {"closing": closing.to_json()})
        return self.state(key)

    def lease(self, device: Device, operator: str | None, seconds: float) -> Lease:
        if device.id in self.leases:
            message = "leased"
            raise DeviceLeased(message, operator_text=f"Das Gerät benutzt {operator}.")
        self.leases[device.id] = Lease(device=device.id, token=uuid.uuid4().hex, seconds=seconds)
        return self.leases[device.id]

    def renew(self, lease: Lease) -> None:
        if self.leases.get(lease.device) != lease:
            message = "lost"
            raise LeaseLost(message, operator_text="Bitte neu beginnen.")

    def give_back(self, lease: Lease) -> None:
        if self.leases.get(lease.device) == lease:
            del self.leases[lease.device]

    def _require(self, profile: str) -> None:
        if profile not in _TREATMENTS:
            raise _refused("profile_unknown")

    def _path(self, key: str) -> Path:
        return self.folder / f"{uuid.UUID(key)}.json"

    def _read(self, key: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path(key).read_text())
        except FileNotFoundError as error:
            raise _refused("stack_unknown") from error
        return found

    def _write(self, key: str, said: dict[str, Any]) -> None:
        unfinished = self._path(key).with_suffix(".part")
        with unfinished.open("w") as target:
            json.dump(said, target)
            target.flush()
            os.fsync(target.fileno())
        unfinished.replace(self._path(key))


def _place(page: dict[str, Any]) -> tuple[int, int]:
    return page["number"], page["attempt"]


def _refused(code: str) -> Refused:
    return Refused(code, operator_text=f"Abgelehnt: {code}", code=code)
