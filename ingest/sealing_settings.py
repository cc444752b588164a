"""What seals and what proves: `[sealing]` and `[evidence]` of the settings.

The organisation's key has one custody: a token, `[sealing.token]`, or a remote service,
`[sealing.csc]`.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        message = f"{path} ist kein vollständiger Pfad; er muss mit / beginnen"
        raise ValueError(message)
    return path


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address, None if it has no host, or a port that is none."""
    try:
        parts = urlsplit(url)
        named = parts.hostname is not None and parts.port != 0
    except ValueError:
        return None
    return parts if named else None


class TokenSettings(_Section):
    """The organisation's key in a PKCS#11 token: a smart card, an HSM or its client library.

    The PIN is no setting: it is read from `pin_file`, which the service's user alone may read.
    """

    module: Path  #: the maker's PKCS#11 library
    label: str = Field(min_length=1)  #: of the token
    key_label: str = Field(min_length=1)
    certificate_label: str = Field(min_length=1)
    pin_file: Path
    issuers: Path | None = None  #: PEM file: certificates above the organisation's, with the root
    environment: dict[str, str] = Field(default_factory=dict)  #: what the library wants to see

    @field_validator("module", "pin_file")
    @classmethod
    def _is_absolute(cls, path: Path) -> Path:
        return _absolute(path)


class RemoteSettings(_Section):
    """The organisation's key at a remote service (Cloud Signature Consortium API, 1.0.4.0).

    The secrets are no settings: they are read from files that the service's user alone may
    read, each time anew, so that whoever renews them only replaces the files.
    """

    url: str  #: of the API with its version, e.g. `https://siegel.example/csc/v1`
    credential: str = Field(min_length=1)  #: the service's name of the key, `credentialID`
    access_token_file: Path  #: OAuth 2.0 bearer token
    pin_file: Path | None = None  #: for credentials that want a PIN
    otp_file: Path | None = None  #: for credentials that want a one-time password as well
    issuers: Path  #: PEM file: certificates above the organisation's, with the root
    timeout_seconds: float = Field(20.0, gt=0, le=50)  #: for each of the questions

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        """Refuse addresses to which the secrets would travel in the clear."""
        parts = _parts(url)
        if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            message = f"„{url}“ ist keine Adresse mit https://"
            raise ValueError(message)
        if parts.username is not None or parts.password is not None:
            message = "die Adresse darf kein Kennwort enthalten"
            raise ValueError(message)
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            message = "unverschlüsselt (http) nur für diesen Rechner selbst; bitte https:// angeben"
            raise ValueError(message)
        return url.rstrip("/")

    @field_validator("access_token_file", "pin_file", "otp_file", "issuers")
    @classmethod
    def _is_absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else _absolute(path)


class SealingSettings(_Section):
    """The keys that seal and the timestamp authorities."""

    token: TokenSettings | None = None  #: the organisation's key in a token
    csc: RemoteSettings | None = None  #: the same at a remote service; neither: there is no key

    key_folder: Path | None = None  #: default: `keys` below the data folder
    tsa_url: str | None = None  #: one authority; the same as `tsa_urls` with one address
    tsa_urls: tuple[str, ...] = Field((), max_length=4)  #: asked in this order
    tsa_roots: Path | None = None  #: PEM file with the roots that a TSA's token must chain to
    tsa_timeout_seconds: float = Field(10.0, gt=0)  #: for each authority

    @property
    def has_organisation(self) -> bool:
        """Whether there is a key of the organisation, wherever it is."""
        return self.token is not None or self.csc is not None

    @property
    def issuers(self) -> Path | None:
        """PEM file with what stands above the organisation's certificate; None: not named."""
        custody = self.token or self.csc
        return None if custody is None else custody.issuers

    @property
    def authorities(self) -> tuple[str, ...]:
        """Addresses of the timestamp authorities in the order in which they are asked."""
        return (self.tsa_url,) if self.tsa_url is not None else self.tsa_urls

    @field_validator("tsa_url", "tsa_urls")
    @classmethod
    def _are_urls(cls, given: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        urls = (given,) if isinstance(given, str) else given or ()
        for url in urls:
            if not re.match(r"https?://[^/\s]+", url):
                message = f"„{url}“ ist keine Adresse mit http:// oder https://"
                raise ValueError(message)
        if len(set(urls)) < len(urls):
            message = "dieselbe Adresse steht zweimal da"
            raise ValueError(message)
        return given

    @model_validator(mode="after")
    def _one_custody(self) -> Self:
        if self.token is not None and self.csc is not None:
            message = (
                "[sealing.token] und [sealing.csc] stehen beide da; der Schlüssel der Organisation "
                "liegt an einem Ort, bitte den anderen Abschnitt entfernen"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.tsa_url is not None and self.tsa_urls:
            message = "tsa_url und tsa_urls stehen beide da; bitte alle Adressen in tsa_urls nennen"
            raise ValueError(message)
        return self

    @field_validator("tsa_roots")
    @classmethod
    def _is_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            message = f"die Datei {path} gibt es nicht"
            raise ValueError(message)
        return path


def _house_ends() -> dict[str, dt.date]:
    last = dt.date(2031, 12, 31)
    digests = ("sha256", "sha384", "sha512")
    return dict.fromkeys((*digests, "rsa-3072", "rsa-4096", "ecdsa-256", "ecdsa-384"), last)


class EvidenceSettings(_Section):
    """Evidence records (RFC 4998); their timestamps come from the authority of `[sealing]`.

    The dates in `algorithm_ends` are this project's own cautious choice and no authority's
    statement: each house decides which catalogue it follows. What is not named there is not
    used for new evidence.
    """

    every: Literal["hour", "day", "off"] = "day"  #: how often waiting documents are secured
    #: Arrivals, captures and heads are timestamped at most this often; 0: not at all.
    capture_minutes: int = Field(10, ge=0, le=1440)
    overdue_hours: float = Field(24.0, gt=0)  #: what waits longer for a timestamp is an alarm
    anchors: Path | None = None  #: folder outside the database; default: `anchors` below the data
    most_documents: int = Field(100_000, ge=1, le=1_000_000)  #: under one timestamp
    renew_days: int = Field(180, ge=1)  #: before the end of certificate or algorithm
    algorithm_ends: dict[str, dt.date] = Field(default_factory=_house_ends)
