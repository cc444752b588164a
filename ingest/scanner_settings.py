"""Scanners that this machine drives itself: `[scanners]` of the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

#: Part of a device's id, which people type.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EsclSettings(_Section):
    """One network scanner that speaks eSCL (AirScan)."""

    url: str  #: up to and without the resource, such as https://192.0.2.7/eSCL
    fingerprint: str | None = None  #: SHA-256 of its certificate; devices make their own

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            message = f"„{url}“ ist keine Adresse mit http:// oder https://"
            raise ValueError(message)
        if parts.username or parts.password:
            raise ValueError("in der Adresse darf kein Kennwort stehen")
        return url.rstrip("/")

    @field_validator("fingerprint")
    @classmethod
    def _is_digest(cls, fingerprint: str | None) -> str | None:
        """Take it as tools print it, with colons and in capitals."""
        if fingerprint is None:
            return None
        plain = fingerprint.replace(":", "").lower()
        if not _DIGEST.fullmatch(plain):
            raise ValueError("kein SHA-256-Fingerabdruck: er hat 64 Stellen 0-9 und a-f")
        return plain

    @model_validator(mode="after")
    def _fingerprint_is_of_a_certificate(self) -> Self:
        if self.fingerprint is not None and not self.url.startswith("https://"):
            raise ValueError("fingerprint wirkt nur mit einer Adresse, die mit https:// beginnt")
        return self


class SaneSettings(_Section):
    """Scanners that the SANE of this machine knows, attached or in the network."""

    enabled: bool = True
    config_dir: Path | None = None  #: in place of /etc/sane.d (`SANE_CONFIG_DIR`)
    program: bool = False  #: `scanimage` scans although the library can be loaded
    #: By device, options that only its backend has; set before each scan.
    options: dict[str, dict[str, bool | int | float | str]] = Field(default_factory=dict)

    @field_validator("config_dir")
    @classmethod
    def _is_folder(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_dir():
            message = f"den Ordner {path} gibt es nicht"
            raise ValueError(message)
        return path


class TwainSettings(_Section):
    """Scanners with a TWAIN driver, where a data source manager is installed."""

    enabled: bool = True


class ScannersSettings(_Section):
    """What there is to scan with on this machine."""

    escl: dict[str, EsclSettings] = Field(default_factory=dict)  #: by the name people use
    sane: SaneSettings = SaneSettings()
    twain: TwainSettings = TwainSettings()
    discovery: bool = False  #: eSCL devices that announce themselves in this network segment
    seconds: float = Field(10.0, gt=0, le=300)  #: within which devices have to answer a listing

    @field_validator("escl")
    @classmethod
    def _have_names(cls, escl: dict[str, EsclSettings]) -> dict[str, EsclSettings]:
        wrong = [name for name in escl if not _NAME.fullmatch(name)]
        if wrong:
            message = (
                f"„{wrong[0]}“ ist kein Gerätename: erlaubt sind kleine Buchstaben, Ziffern, "
                "Binde- und Unterstrich, höchstens 63 Zeichen"
            )
            raise ValueError(message)
        urls = [each.url for each in escl.values()]
        if len(set(urls)) < len(urls):
            raise ValueError("zwei Geräte haben dieselbe Adresse")
        return escl
