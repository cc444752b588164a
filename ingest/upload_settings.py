"""The door for scan stations: `[upload]` of the settings."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class UploadSettings(BaseModel):
    """Where stations are listened to, and how much of them is borne.

    A token must not travel in the clear: beyond this machine there is a certificate, or somebody
    in front who has one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"  #: address to listen at
    port: int = Field(8617, ge=1, le=65535)
    certificate: Path | None = None  #: PEM, with the certificates above it
    key: Path | None = None  #: PEM, its private key, readable by the service only
    tls_elsewhere: bool = False  #: a proxy in front ends TLS; only it reaches this address
    largest_page_bytes: int = Field(512 * 1024**2, ge=1024**2)  #: A3, 600 dpi, colour: 209 MB
    uploads: int = Field(8, ge=1)  #: pages being received at once; further ones wait
    connections: int = Field(200, ge=4)  #: at once, idle ones included
    read_seconds: float = Field(30.0, gt=0)  #: nothing came for so long: the station is gone
    least_bytes_per_second: int = Field(4096, ge=1)  #: slower over the whole page: the same

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            message = "certificate und key gehören zusammen: bitte beide angeben oder keines"
            raise ValueError(message)
        if self.certificate is None and not self.tls_elsewhere and not _is_loopback(self.host):
            message = (
                f"an {self.host} würden die Zugangsschlüssel der Arbeitsplätze unverschlüsselt "
                "übertragen: bitte certificate und key angeben oder, wenn ein Proxy davor TLS "
                "beendet, tls_elsewhere = true"
            )
            raise ValueError(message)
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
