"""What a step may use while it works: its tenant's blobs, a scratch folder, the settings.

A step has no ledger. It can read blobs, write new ones and return an `Outcome`; whether
that outcome counts is decided by whoever holds the claim.
"""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ingest.document import Blob, Facts, Rendition, RenditionKind
from ingest.settings import Settings
from ingest.store.port import Store


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """The hands of a step.

    Attributes:
        workspace: An empty folder of this attempt; removed afterwards, whatever happens.
    """

    store: Store
    tenant: str
    workspace: Path
    settings: Settings
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    def path(self, sha256: str) -> Path:
        """Return a read-only file with the blob's bytes, valid until the step ends."""
        return self._open.enter_context(self.store.materialise(self.tenant, sha256))

    def read(self, sha256: str) -> bytes:
        """Return a small blob whole."""
        with self.store.open(self.tenant, sha256) as stream:
            return stream.read()

    def keep(self, content: bytes | Path) -> Blob:
        """Store bytes or a file durably and return its address."""
        if isinstance(content, bytes):
            return self.store.put(self.tenant, io.BytesIO(content))
        with content.open("rb") as stream:
            return self.store.put(self.tenant, stream)

    def rendition(
        self,
        kind: RenditionKind,
        content: bytes | Path,
        *,
        media_type: str,
        parent: str,
        tool: str,
        settings: Facts | None = None,
    ) -> Rendition:
        """Store `content` and describe it as made from `parent` by `tool`."""
        blob = self.keep(content)
        return Rendition(
            kind=kind,
            sha256=blob.sha256,
            size=blob.size,
            media_type=media_type,
            parent_sha256=parent,
            tool=tool,
            settings=settings or {},
        )

    def close(self) -> None:
        """Let go of materialised files."""
        self._open.close()
