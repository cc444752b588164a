"""The store's contract: what every implementation promises.

Bytes are addressed by tenant and SHA-256, written once and never changed. `put` returns
only after the bytes are on stable storage, so whoever holds a `Blob` may acknowledge.
One suite, `tests/contracts/test_store.py`, runs over all implementations.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from ingest.document import Blob


class Store(Protocol):
    """Content-addressed storage of bytes, separate for each tenant."""

    def put(self, tenant: str, stream: BinaryIO) -> Blob:
        """Store the rest of `stream`; on return it is durable.

        Storing the same bytes twice keeps one copy, whose digest is verified by reading it.

        Raises:
            StoreUnavailable: Nothing was stored and nothing is left behind (no space, no answer).
            DigestMismatch: The copy already present does not match its digest.
        """
        ...

    def open(self, tenant: str, sha256: str) -> AbstractContextManager[BinaryIO]:
        """Open bytes for reading. The digest is checked when the end is reached.

        Raises:
            StoreUnavailable: The store is out of reach.
            BlobMissing: The store is within reach and does not have the bytes.
            DigestMismatch: On the read that reaches the end, if the bytes were altered.
        """
        ...

    def materialise(self, tenant: str, sha256: str) -> AbstractContextManager[Path]:
        """Yield a read-only file with the bytes, digest checked, for child processes.

        The path is valid inside the `with` block only.
        """
        ...

    def holds(self, tenant: str, sha256: str) -> bool:
        """Tell whether the bytes are present (not whether they are intact)."""
        ...

    def digests(self, tenant: str) -> Iterator[str]:
        """Every digest present for `tenant`, in no order."""
        ...

    def stored_at(self, tenant: str, sha256: str) -> dt.datetime | None:
        """When the bytes were put last; None if they are not here."""
        ...

    def tenants(self) -> Iterator[str]:
        """Every tenant that has bytes here."""
        ...

    def sweep(self, tenant: str, referenced: Iterable[str], older_than: dt.timedelta) -> list[str]:
        """Remove unreferenced blobs older than `older_than`, and stale temporary files.

        Returns:
            The digests removed.
        """
        ...

    def erase(self, tenant: str, sha256: str) -> bool:
        """Remove the bytes for good (DESIGN rule 10); False if they were not there."""
        ...
