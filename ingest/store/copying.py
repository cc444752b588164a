"""Copying blobs from one store to another: backup, restore, moving to S3 and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.errors import BlobMissing, DigestMismatch
from ingest.store.port import Store


@dataclass(kw_only=True)
class CopiedBlobs:
    """What a copy did.

    Attributes:
        present: Were there before; not read again.
        missing: Not in the source, for instance erased since the ledger was copied.
        damaged: Not what their digest says; not copied.
    """

    copied: int = 0
    size: int = 0
    present: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def copy_blobs(source: Store, target: Store, tenant: str, digests: Iterable[str]) -> CopiedBlobs:
    """Put what `target` lacks of `digests` into it; each is durable there when counted.

    One bad blob does not keep the others from being saved. Copy the ledger first: what it
    refers to is in the store already.

    Raises:
        StoreUnavailable: One of the stores is out of reach or full; what was copied stays.
    """
    result = CopiedBlobs()
    for sha256 in digests:
        if target.holds(tenant, sha256):
            result.present += 1
        elif not source.holds(tenant, sha256):
            result.missing.append(sha256)
        else:
            _copy(source, target, tenant, sha256, result)
    return result


def _copy(source: Store, target: Store, tenant: str, sha256: str, result: CopiedBlobs) -> None:
    try:
        with source.open(tenant, sha256) as stream:
            blob = target.put(tenant, stream)
    except BlobMissing:
        result.missing.append(sha256)
        return
    except DigestMismatch:
        result.damaged.append(sha256)
        return
    result.copied += 1
    result.size += blob.size
