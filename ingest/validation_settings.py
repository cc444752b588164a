"""Settings for the validation of signatures: whom the house trusts, and how current that is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class ValidationSettings(BaseModel):
    """How signatures that come in are validated, and how *qualified* is decided.

    Without roots and lists a signature can be found broken, never valid.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    roots: Path | None = None  #: PEM file: roots the house trusts besides the trusted lists
    trusted_lists: Path | None = None  #: folder with trusted lists (ETSI TS 119 612), `*.xml`
    trusted_list_signers: Path | None = None  #: PEM file: who may sign those lists
    trusted_list_max_age_hours: float = Field(72.0, gt=0)  #: since the file was fetched
    revocation: Literal["local", "online"] = "local"  #: `online` asks where certificates point
    service_url: str | None = None  #: a validation service that gets every signed file
    service_timeout_seconds: float = Field(30.0, gt=0)
    max_bytes: int = Field(128 * 1024**2, gt=0)  #: larger files are not validated here

    @property
    def has_anchors(self) -> bool:
        """Whether the house says whom it trusts; else nothing can turn out valid here."""
        return bool(self.roots or self.trusted_lists)

    @field_validator("roots", "trusted_list_signers")
    @classmethod
    def _is_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            message = f"die Datei {path} gibt es nicht"
            raise ValueError(message)
        return path

    @field_validator("trusted_lists")
    @classmethod
    def _is_folder(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_dir():
            message = f"den Ordner {path} gibt es nicht"
            raise ValueError(message)
        return path

    @field_validator("service_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://[^/\s]+", url):
            message = f"„{url}“ ist keine Adresse mit http:// oder https://"
            raise ValueError(message)
        return url

    @model_validator(mode="after")
    def _lists_are_signed(self) -> Self:
        if (self.trusted_lists is None) != (self.trusted_list_signers is None):
            message = (
                "trusted_lists und trusted_list_signers gehören zusammen: eine Vertrauensliste "
                "zählt nur mit der Signatur dessen, der sie herausgibt"
            )
            raise ValueError(message)
        return self
