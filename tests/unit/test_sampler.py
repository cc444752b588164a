"""The sample follows from the seed, its size from need and faults, and what it finds is exact."""

from __future__ import annotations

import hashlib
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.ledger import sampler

SEED = "00" * 31 + "2a"


def test_the_order_is_that_of_the_hmac_and_anybody_can_repeat_it() -> None:
    import hmac

    key = bytes.fromhex(SEED)
    places = {n: hmac.new(key, str(n).encode(), hashlib.sha256).digest() for n in range(1, 30)}
    assert sampler.order(SEED, range(1, 30)) == sorted(places, key=places.__getitem__)
    assert sampler.order(SEED, [3, 1, 2]) == sampler.order(SEED, [2, 3, 1])
    assert sampler.commitment(SEED) == hashlib.sha256(key).hexdigest()


@pytest.mark.parametrize(
    ("population", "share", "minimum", "size"),
    [(75, 0.04, 3, 3), (76, 0.04, 3, 4), (2, 0.04, 3, 2), (0, 0.04, 3, 0), (10, 1.0, 1, 10)],
)
def test_size(population: int, share: float, minimum: int, size: int) -> None:
    assert sampler.size(population, share, minimum) == size


@pytest.mark.parametrize(
    ("need", "faulty", "share"),
    [
        ("normal", [], 0.04),
        ("normal", [True], 0.08),
        ("normal", [False, True, True], 0.16),
        ("normal", [True] * 9, 1.0),
        ("normal", [False] * 10 + [True], 0.04),
        ("high", [], 1.0),
        ("high", [False] * 2, 1.0),
        ("high", [False] * 3, 0.04),
        ("high", [False, True, False, False], 1.0),
        ("high", [False] * 3 + [True], 0.04),
        ("very_high", [False] * 99, 1.0),
    ],
)
def test_share(need: str, faulty: list[bool], share: float) -> None:
    assert sampler.share_now(need, 0.04, 3, faulty) == pytest.approx(share)


@given(
    population=st.integers(1, 9), size=st.integers(0, 9), defects=st.sampled_from([0.01, 0.05, 0.5])
)
def test_detection_is_what_counting_all_samples_gives(
    population: int, size: int, defects: float
) -> None:
    size = min(size, population)
    faulty = max(1, math.ceil(defects * population))
    samples = list(itertools.combinations(range(population), size))
    found = sum(any(member < faulty for member in drawn) for drawn in samples)
    exact = found / len(samples)
    assert sampler.detection(population, size, defects) == pytest.approx(exact, abs=1e-6)


def test_detection_of_a_large_batch_nears_the_binomial() -> None:
    assert sampler.detection(1_000_000, 100, 0.01) == pytest.approx(1 - 0.99**100, abs=1e-4)
    assert sampler.detection(0, 0, 0.01) == 0.0
