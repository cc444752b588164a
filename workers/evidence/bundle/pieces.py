"""The files of a bundle, and why some are not there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ingest.document import Facts


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One file: its bytes, or the blob of the document's tenant that has them."""

    name: str
    content: bytes = b""
    blob: str | None = None


@dataclass(kw_only=True)
class Pieces:
    """What a bundle consists of so far.

    Attributes:
        absent: What is not there, each with part and reason.
    """

    files: list[Piece] = field(default_factory=list)
    absent: list[Facts] = field(default_factory=list)

    def add(self, name: str, content: bytes) -> None:
        """Add a file with these bytes."""
        self.files.append(Piece(name=name, content=content))

    def add_json(self, name: str, value: object) -> None:
        """Add a file with a JSON value, the same bytes for the same value."""
        text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
        self.add(name, f"{text}\n".encode())

    def add_blob(self, name: str, sha256: str) -> None:
        """Add a file whose bytes lie in the store."""
        self.files.append(Piece(name=name, blob=sha256))

    def lacks(self, part: str, reason: str) -> None:
        """Say that something is not there, and why; German."""
        self.absent.append({"part": part, "reason": reason})

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        return any(piece.name == name for piece in self.files)
