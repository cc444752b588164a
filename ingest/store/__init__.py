"""Where bytes are kept: content-addressed, separate for each tenant, written once.

`open_store` is the way in; what every store promises stands in `ingest.store.port`.
"""

from __future__ import annotations

from ingest.settings import Settings
from ingest.store.copying import CopiedBlobs, copy_blobs
from ingest.store.folder import FolderStore
from ingest.store.port import Store

__all__ = ["CopiedBlobs", "FolderStore", "Store", "copy_blobs", "open_store"]


def open_store(settings: Settings) -> Store:
    """Return the store that `settings` name. Opening it touches neither disk nor network."""
    if settings.store.kind == "folder":
        return FolderStore(settings.data / "store")
    # boto3 takes most of a second to import; only houses with S3 pay for it.
    from ingest.store.s3 import open_bucket

    return open_bucket(settings)
