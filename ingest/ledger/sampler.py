"""Which documents of a batch a person looks at, and what such a look can find.

The sample follows from a seed that was committed before anybody could know it, so that neither
the house nor its software can choose what is looked at, and anybody can draw it again (BSI
TR-03138 V1.5, A.SC.8; F 8.1: the unit is the document). The TR sets no figure; the figures here
are our choice and stand in `docs/quality.md`.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterable, Sequence
from typing import Final

#: Of these last batches of a class the faulty ones raise the share at need "normal".
RECENT: Final = 10
#: Shares of faulty documents for which it is shown how probably a sample finds one.
DEFECT_SHARES: Final = ("0.01", "0.05")


def commitment(seed: str) -> str:
    """Return the SHA-256 of a hexadecimal seed's bytes: it binds without telling."""
    return hashlib.sha256(bytes.fromhex(seed)).hexdigest()


def order(seed: str, ordinals: Iterable[int]) -> list[int]:
    """Return ordinals by HMAC-SHA256(seed, decimal ordinal): the first ones are the sample."""
    key = bytes.fromhex(seed)

    def place(ordinal: int) -> tuple[bytes, int]:
        return hmac.digest(key, str(ordinal).encode(), "sha256"), ordinal

    return sorted(ordinals, key=place)


def size(population: int, share: float, minimum: int) -> int:
    """Return max(minimum, ⌈share · population⌉), at most the population."""
    # nine decimals: 0.04 · 75 is 3, not the next float above it
    return min(population, max(minimum, math.ceil(round(share * population, 9))))


def share_now(need: str, share: float, clean_batches: int, faulty: Sequence[bool]) -> float:
    """Return the share that holds after what the last batches of the class showed.

    Args:
        need: "normal", "high" or "very_high".
        share: Of the class.
        clean_batches: Of the class: so many batches in a row without a fault, and "high" may
            fall from everything to `share` (A.AM.IN.H.7).
        faulty: Of the finished batches, newest first, whether a fault was found.
    """
    if need == "very_high":
        return 1.0
    if need == "high":
        in_a_row = len(faulty) >= clean_batches and not any(faulty[:clean_batches])
        return share if in_a_row else 1.0
    return min(1.0, share * float(2 ** sum(faulty[:RECENT])))


def detection(population: int, size: int, defect_share: float) -> float:
    """Return how probably a sample holds at least one faulty document (hypergeometric).

    Args:
        population: Documents from which was drawn, without putting any back.
        size: Of the sample.
        defect_share: Of faulty ones among them; at least one is faulty.
    """
    faulty = min(population, max(1, math.ceil(round(defect_share * population, 9))))
    missed = 1.0
    for found in range(faulty if population else 0):
        missed *= max(0, population - size - found) / (population - found)
    return round(1.0 - missed, 6) if population else 0.0


def detections(population: int, size: int) -> dict[str, float]:
    """Return `detection` for each of `DEFECT_SHARES`."""
    return {text: detection(population, size, float(text)) for text in DEFECT_SHARES}
