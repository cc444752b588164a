"""A secret in a file of the service's user, which whoever refuses it is offered once.

PINs lock themselves after a few wrong ones, and expired passwords get nobody anywhere. A secret
that was refused is therefore not offered again before its file was written anew: not by this
process, and not by others, which find a mark of the file beside the keys.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ingest.errors import Misconfigured
from workers.sealing.keys import require_private


class Offered:
    """One secret as this process knows it."""

    def __init__(self, path: Path, key: str, mark: Path) -> None:
        """Remember where it is; nothing is read yet.

        Args:
            path: The file.
            key: The setting that names it, for messages.
            mark: Where it is noted which file was refused: in a private folder.
        """
        self.path = path
        self._key = key
        self._mark = mark
        self._identity = ""
        self._refused: tuple[bytes, str] | None = None

    def read(self) -> str:
        """Return the secret, without the end of its line.

        Raises:
            UnsafeFolders: Others can read or replace the file.
            Misconfigured: The file cannot be read, or there is nothing in it.
        """
        try:
            require_private(self.path)
            with self.path.open(encoding="utf-8", newline="") as stream:
                self._identity = _identity(stream.fileno())
                secret = stream.read().strip("\r\n")
        except (OSError, ValueError) as error:
            text = f"{self._key}: {self.path} ist nicht lesbar. Bitte Rechte prüfen."
            raise Misconfigured(f"{self.path} is unreadable", operator_text=text) from error
        if not secret:
            text = f"{self._key}: {self.path} ist leer. Bitte den Inhalt eintragen."
            raise Misconfigured(f"{self.path} is empty", operator_text=text)
        return secret

    def was_refused(self, secret: str) -> bool:
        """Tell whether what was just read has been refused before, here or by another process."""
        if self._refused is not None and self._refused[1] == self._identity:
            return self._refused[0] == _fingerprint(secret)
        try:
            return self._mark.read_text("utf-8") == self._identity
        except OSError:
            return False

    def refuse(self, secret: str) -> None:
        """Note that what was just read is not to be offered again.

        The mark names the file and not the secret, of which even a digest tells too much.
        """
        self._refused = _fingerprint(secret), self._identity
        with suppress(OSError):  # this process remembers it without
            self._mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mark.write_text(self._identity, "utf-8")

    def accept(self) -> None:
        """Forget earlier files: what was just read is good."""
        self._refused = None
        with suppress(OSError):
            self._mark.unlink(missing_ok=True)


def _identity(descriptor: int) -> str:
    found = os.fstat(descriptor)
    return f"{found.st_ino} {found.st_mtime_ns} {found.st_size}"


def _fingerprint(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
