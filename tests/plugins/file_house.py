"""A house of files: durable over kill -9, with faults on demand; no part of the product."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from scanners.device import Device, Feed, Mode, ScanSettings
from scanners.stack import (
    AcceptanceFault,
    Closing,
    KnownPage,
    Lease,
    ManifestDisagrees,
    OfferedProfile,
    Opening,
    Refused,
    StackPage,
    StackState,
    Unavailable,
)

PROFILE = OfferedProfile(
    name="posteingang",
    title="Posteingang",
    treatment="copying",
    settings=ScanSettings(dpi=100, mode=Mode.GREY, feed=Feed.FEEDER),
)


def away(retry_after: float | None = None) -> Unavailable:
    error = Unavailable("connection refused", operator_text="Das Haus antwortet nicht.")
    error.retry_after = retry_after
    return error


def refused(code: str) -> Refused:
    return Refused(code, operator_text=f"Abgelehnt: {code}", code=code)


@dataclass
class FileHouse:
    """Stacks in a folder each.

    Attributes:
        folder: Where they are.
        faults: Raised by the next calls of a method, by its name, before any effect.
        killing: Name of a call, its number from 1, and whether before or after its effect the
            process that called dies.
        lease_seconds: Leases are given for so long, None for as long as was asked for.
    """

    folder: Path
    faults: dict[str, list[AcceptanceFault | None]] = field(default_factory=dict)
    killing: tuple[str, int, str] | None = None
    calls: dict[str, int] = field(default_factory=dict)
    lease_seconds: float | None = None

    def profiles(self) -> list[OfferedProfile]:
        self._before("profiles")
        return [PROFILE]

    def admit(self, device: Device, profile: str, operator: str | None) -> None:
        self._before("admit")

    def open(self, opening: Opening) -> StackState:
        self._before("open")
        folder = self.folder / opening.key
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "opening.json").write_text(json.dumps(opening.to_json()))
        self._after("open")
        return self.state(opening.key)

    def state(self, key: str) -> StackState:
        folder = self.folder / key
        if not folder.exists():
            raise refused("stack_unknown")
        return StackState(
            batch_id=f"S-{key[:8]}",
            pages=tuple(self._pages(key)),
            is_closed=(folder / "closed.json").exists(),
            is_discarded=(folder / "discarded").exists(),
        )

    def append(self, key: str, page: StackPage) -> bool:
        self._before("append")
        content = page.page.path.read_bytes()
        if sha256(content).hexdigest() != page.page.sha256:
            raise refused("page_disagrees")
        number = page.page.facts.number
        place = self.folder / key / f"{number:04d}-{page.attempt:02d}"
        is_new = not place.exists()
        if not is_new and place.read_bytes() != content:
            raise refused("page_disagrees")
        state = self.state(key)
        if is_new and (state.is_closed or state.is_discarded):
            raise refused("stack_closed")
        place.write_bytes(content)
        self._log(f"{key} {number} {page.attempt} {'new' if is_new else 'known'}")
        self._after("append")
        return is_new

    def close(self, key: str, closing: Closing) -> StackState:
        self._before("close")
        if closing.pages != self.state(key).pages:
            raise ManifestDisagrees("pages differ", operator_text="Andere Seiten als gemeldet.")
        (self.folder / key / "closed.json").write_text(json.dumps(closing.to_json()))
        self._log(f"{key} closed")
        self._after("close")
        return self.state(key)

    def lease(self, device: Device, operator: str | None, seconds: float) -> Lease:
        self._before("lease")
        return Lease(device=device.id, token="right", seconds=self.lease_seconds or seconds)

    def renew(self, lease: Lease) -> None:
        self._before("renew")

    def give_back(self, lease: Lease) -> None:
        self._before("give_back")

    # --- what a test asks ---

    def discard(self, key: str) -> None:
        """Give a stack up, pages and all."""
        for path in (self.folder / key).glob("????-??"):
            path.unlink()
        (self.folder / key / "discarded").touch()

    def log(self, key: str = "") -> list[str]:
        """What was taken, in the order of its arrival."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(key)]

    def _pages(self, key: str) -> Iterator[KnownPage]:
        last: dict[int, Path] = {}
        for path in sorted((self.folder / key).glob("????-??")):
            last[int(path.name[:4])] = path
        for number, path in sorted(last.items()):
            digest = sha256(path.read_bytes()).hexdigest()
            yield KnownPage(number=number, attempt=int(path.name[5:]), sha256=digest)

    def _log(self, line: str) -> None:
        with (self.folder / "log").open("a") as file:
            file.write(line + "\n")

    def _before(self, call: str) -> None:
        self.calls[call] = self.calls.get(call, 0) + 1
        self._die(call, "before")
        waiting = self.faults.get(call, [])
        if waiting and (fault := waiting.pop(0)) is not None:
            raise fault

    def _after(self, call: str) -> None:
        self._die(call, "after")

    def _die(self, call: str, moment: str) -> None:
        if self.killing == (call, self.calls[call], moment):
            os.kill(os.getpid(), signal.SIGKILL)
