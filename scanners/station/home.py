"""The folder of a scan station: its settings, its pairing, who is signed on, and its stacks."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ingest import clock
from scanners.device.durable import write_whole
from scanners.stack import OfferedProfile
from scanners.station.faults import Misconfigured
from scanners.station.logins import login_name
from scanners.station.settings import HouseAddress, StationSettings, load

HOME_VARIABLE: Final = "SCANSTRASSE_STATION"
TOKEN_VARIABLE: Final = "SCANSTRASSE_STATION_TOKEN"  # noqa: S105 - its name, not a token
_FOREIGN_EYES: Final = 0o077
#: By so much a time service may set the clock back without anybody having been signed on wrongly.
_SET_RIGHT: Final = dt.timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class HouseSeen:
    """How the house last answered.

    Attributes:
        kind: back, away, barred; see `scanners.stack.transmission.Carriage`.
        operator_text: German, empty for back.
        at: By this computer's clock, aware.
    """

    kind: str
    operator_text: str
    at: dt.datetime


class Home:
    """One such folder.

    Attributes:
        path: Of the folder; stacks lie in `stacks`, see `scanners.stack.journal`.
        settings: Of `station.toml`.
    """

    def __init__(self, path: Path) -> None:
        """Use `path`, making it where it is missing.

        Raises:
            Misconfigured: `station.toml` is wrong, or the folder cannot be made.
        """
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            message = f"Der Ordner {path} des Scanplatzes lässt sich nicht anlegen: {error}"
            raise Misconfigured(message) from error
        # Journals compare paths, and children run elsewhere.
        self.path = path.resolve()
        self.settings: StationSettings = load(self.path / "station.toml")

    # --- the house ---

    @property
    def address(self) -> HouseAddress:
        """Of `station.toml`, or else as paired."""
        if self.settings.house.url is not None:
            return self.settings.house
        said = self._read("pairing.json") or {}
        return HouseAddress(
            url=said.get("url"),
            fingerprint=said.get("fingerprint"),
            ca=None if said.get("ca") is None else Path(said["ca"]),
            proxy=self.settings.house.proxy,
        )

    def pair(self, address: HouseAddress, token: str) -> None:
        """Keep address and token; the token's file is for its owner only.

        Raises:
            Misconfigured: `station.toml` names a house, which would win.
        """
        if self.settings.house.url is not None:
            message = (
                "Die Adresse des Hauses steht schon in station.toml unter [house] url; sie gilt. "
                "Bitte dort ändern oder herausnehmen."
            )
            raise Misconfigured(message)
        ca = None if address.ca is None else str(address.ca.resolve())
        said = {"url": address.url, "fingerprint": address.fingerprint, "ca": ca}
        write_whole(self.path / "token", token.encode())
        self._write("pairing.json", said)

    @property
    def token(self) -> str | None:
        """Of this station: from the environment or its file; None where there is none.

        Raises:
            Misconfigured: Others may read the file.
        """
        given = os.environ.get(TOKEN_VARIABLE, "").strip()
        if given:
            return given
        path = self.path / "token"
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            return None
        if os.name != "nt" and mode & _FOREIGN_EYES:
            message = f"{path} ist für andere lesbar. Bitte »chmod 600« darauf anwenden."
            raise Misconfigured(message)
        return path.read_text("utf-8").strip() or None

    @property
    def house_seen(self) -> HouseSeen | None:
        """How the house last answered; None before the first time."""
        said = self._read("house.json")
        if said is None:
            return None
        at = dt.datetime.fromisoformat(said["at"])
        return HouseSeen(kind=said["kind"], operator_text=said["operator_text"], at=at)

    def see_house(self, kind: str, operator_text: str = "") -> None:
        """Keep how the house answered, for `status`."""
        said = {"kind": kind, "operator_text": operator_text, "at": clock.now().isoformat()}
        self._write("house.json", said)

    # --- profiles ---

    def keep_profiles(self, profiles: list[OfferedProfile]) -> None:
        """Keep what the house offers, for when it does not answer."""
        said = [profile.to_json() for profile in profiles]
        self._write("profiles.json", {"profiles": said, "at": clock.now().isoformat()})

    @property
    def kept_profiles(self) -> list[OfferedProfile]:
        """What the house offered last."""
        said = self._read("profiles.json") or {"profiles": []}
        return [OfferedProfile.from_json(each) for each in said["profiles"]]

    # --- who scans ---

    def sign_on(self, operator: str) -> None:
        """Let an operator count as there, until signing off or the end of the shift."""
        self._write("shift.json", {"operator": operator, "at": clock.now().isoformat()})

    def sign_off(self) -> None:
        """Let nobody count as there."""
        (self.path / "shift.json").unlink(missing_ok=True)

    @property
    def operator(self) -> str | None:
        """Who counts as there: who signed on for this shift, or else whom the login stands for.

        Nobody stays signed on over night. The login's own name is never an operator: it has to
        stand under `[logins]` of `station.toml` with a code.
        """
        return self._on_shift or self.by_login

    @property
    def by_login(self) -> str | None:
        """Whom the login of this process stands for; None where the settings name it not."""
        known = self.settings.logins
        return known.get(login_name()) if known else None

    @property
    def _on_shift(self) -> str | None:
        said = self._read("shift.json")
        if said is None:
            return None
        since = clock.now() - dt.datetime.fromisoformat(said["at"])
        if since < -_SET_RIGHT:
            # Left there, the shift would begin when the clock gets to where it once was.
            self.sign_off()
            return None
        if since > dt.timedelta(hours=self.settings.shift_hours):
            return None
        return str(said["operator"])

    # --- inside ---

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        try:
            said = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            message = f"{path} ist beschädigt ({error}). Bitte die Datei entfernen."
            raise Misconfigured(message) from error
        if not isinstance(said, dict):
            message = f"{path} ist beschädigt. Bitte die Datei entfernen."
            raise Misconfigured(message)
        return said

    def _write(self, name: str, said: dict[str, Any]) -> None:
        write_whole(self.path / name, json.dumps(said, ensure_ascii=False).encode())


def default_home() -> Path:
    """Return the folder of this computer's station, unless the command line names another."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "Scanstrasse"
    return Path.home() / ".local" / "share" / "scanstrasse-station"
