"""`station.toml`: which house, which scanners, which buttons. Every key is optional.

Unknown keys are refused: a mistyped one would be silently without effect.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ingest.document import OPERATOR_CODE_RULE, is_operator_code
from scanners.drivers import NetworkScanner
from scanners.station.faults import Misconfigured
from scanners.station.logins import spelt

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, kw_only=True)
class HouseAddress:
    """Where the house is and how its certificate is known.

    Attributes:
        url: Base address; None until the station is paired.
        fingerprint: SHA-256 of its certificate, 64 hexadecimal digits.
        ca: PEM file of its authority, where it is none that the system knows.
        proxy: URL; none is used otherwise.
    """

    url: str | None = None
    fingerprint: str | None = None
    ca: Path | None = None
    proxy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Button:
    """A button of a scanner that starts a profile.

    Attributes:
        device: A SANE device, `sane:…`, as `devices` lists it.
        button: Name of the option that the driver shows it as, such as `scan`.
    """

    device: str
    button: str
    profile: str


@dataclass(frozen=True, kw_only=True)
class StationSettings:
    """What `station.toml` says.

    Attributes:
        code: Of the workstation, as stacks name it.
        shift_hours: So long after signing on an operator counts as there.
        logins: By the operating system's name of a user, the code of the one person who logs in
            with it.
        escl: Network scanners by the name people use.
        discovery: Whether scanners that announce themselves are listed too.
        seconds: Within which devices have to answer a listing.
        sane, twain: Whether these ways of driving are used.
        sane_config: In place of `/etc/sane.d`.
    """

    house: HouseAddress = field(default_factory=HouseAddress)
    code: str | None = None
    shift_hours: float = 12.0
    logins: dict[str, str] = field(default_factory=dict)
    escl: dict[str, NetworkScanner] = field(default_factory=dict)
    discovery: bool = False
    seconds: float = 10.0
    sane: bool = True
    sane_config: Path | None = None
    twain: bool = True
    buttons: tuple[Button, ...] = ()


def load(path: Path) -> StationSettings:
    """Read the file; one that is missing says nothing.

    Raises:
        Misconfigured: It is no TOML, or a key is unknown or no such value; the text names it.
    """
    try:
        # Windows editors like to write a mark before the text.
        said = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return StationSettings()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} ist nicht lesbar: {error}") from error
    top = _Section(path, "", said)
    house, station = top.section("house"), top.section("station")
    scanners = top.section("scanners")
    sane, twain = scanners.section("sane"), scanners.section("twain")
    networked, logins = scanners.section("escl"), top.section("logins")
    settings = StationSettings(
        house=HouseAddress(
            url=house.text("url"),
            fingerprint=house.digest("fingerprint"),
            ca=house.path("ca"),
            proxy=house.text("proxy"),
        ),
        code=station.text("code"),
        shift_hours=station.number("shift_hours", 12.0),
        logins={spelt(name): logins.operator(name) for name in list(logins.said)},
        escl={name: _network_scanner(networked, name) for name in list(networked.said)},
        discovery=scanners.flag("discovery", default=False),
        seconds=scanners.number("seconds", 10.0),
        sane=sane.flag("enabled", default=True),
        sane_config=sane.path("config_dir"),
        twain=twain.flag("enabled", default=True),
        buttons=tuple(_button(each) for each in top.sections("buttons")),
    )
    for section in (house, station, sane, twain, networked, scanners, top):
        section.require_empty()
    return settings


class _Section:
    """One table of the file, of which each key is taken once."""

    def __init__(self, path: Path, name: str, said: Any) -> None:
        self._path, self.name = path, name
        if not isinstance(said, dict):
            raise self.wrong("", "ist kein Abschnitt")
        self.said: dict[str, Any] = dict(said)

    def section(self, key: str) -> _Section:
        return _Section(self._path, self._of(key), self.said.pop(key, {}))

    def sections(self, key: str) -> list[_Section]:
        said = self.said.pop(key, [])
        if not isinstance(said, list):
            raise self.wrong(key, f"wird als [[{key}]] geschrieben")
        return [_Section(self._path, self._of(key), each) for each in said]

    def text(self, key: str) -> str | None:
        value = self.said.pop(key, None)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.wrong(key, "ist kein Text")
        return value

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            raise self.wrong(key, "fehlt")
        return value

    def path(self, key: str) -> Path | None:
        value = self.text(key)
        if value is None:
            return None
        found = Path(value)
        if not found.exists():
            raise self.wrong(key, f"{found} gibt es nicht")
        return found

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.said.pop(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "ist weder true noch false")
        return value

    def number(self, key: str, default: float) -> float:
        value = self.said.pop(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise self.wrong(key, "ist keine Zahl über null")
        return float(value)

    def operator(self, key: str) -> str:
        value = self.required(key)
        if not is_operator_code(value):
            raise self.wrong(key, f"nennt kein Kürzel: {OPERATOR_CODE_RULE}")
        return value

    def digest(self, key: str) -> str | None:
        value = self.text(key)
        return None if value is None else fingerprint(value, self._of(key))

    def require_empty(self) -> None:
        for key in self.said:
            raise self.wrong(key, "ist unbekannt")

    def wrong(self, key: str, what: str) -> Misconfigured:
        return Misconfigured(f"{self._path}: „{self._of(key)}“ {what}.")

    def _of(self, key: str) -> str:
        return ".".join(part for part in (self.name, key) if part)


def fingerprint(text: str, name: str) -> str:
    """Return a fingerprint as 64 small hexadecimal digits; tools print colons and capitals.

    Raises:
        Misconfigured: It is none; `name` says where it stands.
    """
    plain = text.replace(":", "").replace(" ", "").lower()
    if not _DIGEST.fullmatch(plain):
        message = f"„{name}“ ist kein SHA-256-Fingerabdruck: er hat 64 Stellen 0-9 und a-f."
        raise Misconfigured(message)
    return plain


def _network_scanner(escl: _Section, name: str) -> NetworkScanner:
    if not _NAME.fullmatch(name):
        raise escl.wrong(name, "ist kein Gerätename (kleine Buchstaben, Ziffern, - und _)")
    section = escl.section(name)
    found = NetworkScanner(
        url=section.required("url").rstrip("/"), fingerprint=section.digest("fingerprint")
    )
    if not found.url.startswith(("http://", "https://")):
        raise section.wrong("url", "beginnt weder mit http:// noch mit https://")
    section.require_empty()
    return found


def _button(section: _Section) -> Button:
    found = Button(
        device=section.required("device"),
        button=section.required("button"),
        profile=section.required("profile"),
    )
    if not found.device.startswith("sane:"):
        raise section.wrong("device", "ist kein SANE-Gerät (sane:…); nur SANE zeigt Tasten")
    section.require_empty()
    return found
