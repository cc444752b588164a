"""Which digest to use now, and reading documents again for another one (RFC 4998, 5.3).

Until when a digest is good is the house's table, `evidence.algorithm_ends`. Bytes are read piece
by piece and never parsed, so this needs no child process.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from ingest.ledger.evidence import Group
from workers.evidence.record import Chain, rehashed
from workers.evidence.tree import SIZES

if TYPE_CHECKING:
    from ingest.sealing_settings import EvidenceSettings
    from ingest.store.port import Store

_CHUNK: Final = 1024 * 1024


def suitable(settings: EvidenceSettings, day: dt.date) -> str:
    """Return the digest for new trees: the first that the house trusts for long enough.

    Where it trusts none for so long, the one that it trusts longest.
    """
    ends = {name: settings.algorithm_ends.get(name, dt.date.min) for name in SIZES}
    later = day + dt.timedelta(days=settings.renew_days)
    return next(
        (name for name in SIZES if ends[name] > later), max(SIZES, key=lambda name: ends[name])
    )


def outdated(settings: EvidenceSettings, day: dt.date) -> tuple[str, ...]:
    """Return the digests that `suitable` outlasts and that end soon, or have ended."""
    ends = {name: settings.algorithm_ends.get(name, dt.date.min) for name in SIZES}
    later = day + dt.timedelta(days=settings.renew_days)
    best = ends[suitable(settings, day)]
    return tuple(name for name in SIZES if ends[name] <= later and ends[name] < best)


def ending(settings: EvidenceSettings, day: dt.date) -> dict[str, dt.datetime]:
    """Return when those digests end that are `outdated`."""
    return {
        name: dt.datetime.combine(
            settings.algorithm_ends.get(name, day), dt.time.min, tzinfo=dt.UTC
        )
        for name in outdated(settings, day)
    }


def ended(settings: EvidenceSettings, algorithm: str, day: dt.date) -> bool:
    """Tell whether the house trusts a digest no more."""
    return settings.algorithm_ends.get(algorithm, dt.date.min) <= day


def digests(store: Store, tenant: str, files: Iterable[bytes], algorithm: str) -> list[bytes]:
    """Return the digests of some stored files, known by their SHA-256, in another algorithm.

    Raises:
        StoreUnavailable: A file cannot be read, or is not there.
        DigestMismatch: A file is not what its SHA-256 says: it must get no new digest.
    """
    found = []
    for sha256 in sorted(files):
        digest = hashlib.new(algorithm)
        with store.open(tenant, sha256.hex()) as stream:
            while block := stream.read(_CHUNK):
                digest.update(block)
        found.append(digest.digest())
    return found


def group(document: str, own: Collection[bytes], before: Iterable[Chain] = ()) -> Group:
    """Return the data group of a document in the algorithm of its digests.

    Args:
        document: Its id.
        own: Digests of its files.
        before: Its chains so far; none for a document without evidence.
    """
    chains = list(before)
    members = {rehashed(digest, chains) for digest in own} if chains else set(own)
    if len(members) == 1:  # so that nobody can try out a file after it was erased
        members.add(os.urandom(len(next(iter(members)))))
    return Group(document=document, members=tuple(sorted(members)))
