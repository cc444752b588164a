"""The hash tree over data groups, RFC 4998, sections 4.1 and 4.2.

Nodes are hashed pairwise, each pair sorted; the last node of an odd row goes up unchanged.
Whole rows are cut into branches of `BRANCH` leaves: the leaves of a branch are kept once
with the branch's own path to the root, and the path of each document is computed from both.
That is a quarter of what one whole path a document takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

#: The digest of trees while the house trusts it; documents, notes and originals are known by it.
ALGORITHM: Final = "sha256"
#: Bytes of a digest by algorithm. A digest's length tells its algorithm, so nobody has to say it.
SIZES: Final = MappingProxyType({"sha256": 32, "sha384": 48, "sha512": 64})
_BY_SIZE: Final = MappingProxyType({size: name for name, size in SIZES.items()})
SIZE: Final = SIZES[ALGORITHM]
#: Leaves of one branch; a power of two, so that branches are whole subtrees.
BRANCH: Final = 256


def algorithm_of(digest: bytes) -> str:
    """Return the algorithm that made a digest.

    Raises:
        ValueError: None that is known here.
    """
    name = _BY_SIZE.get(len(digest))
    if name is None:
        message = f"no digest of a known algorithm has {len(digest)} bytes"
        raise ValueError(message)
    return name


def combined(digests: Collection[bytes]) -> bytes:
    """Return the digest that stands for some digests: of one alone itself, else of all, sorted.

    Equal digests count once: a group is a set (RFC 4998, section 4.2, steps 2 and 3).

    Raises:
        ValueError: There are none, or they are no digests of one algorithm.
    """
    several = set(digests)
    if not several:
        message = "a group needs a digest"
        raise ValueError(message)
    if len(several) == 1:
        return next(iter(several))
    algorithms = {algorithm_of(digest) for digest in several}
    if len(algorithms) != 1:
        message = "digests of several algorithms"
        raise ValueError(message)
    return hashlib.new(algorithms.pop(), b"".join(sorted(several))).digest()


@dataclass(frozen=True)
class Branch:
    """Some neighbouring leaves, and the siblings that lead from their root to the tree's."""

    leaves: tuple[bytes, ...]
    path: tuple[bytes, ...]

    def paths(self) -> list[tuple[bytes, ...]]:
        """Return for each leaf the siblings on its way to the tree's root."""
        rows = _rows(self.leaves)
        return [(*_siblings(rows, place), *self.path) for place in range(len(self.leaves))]

    def path_of(self, place: int) -> tuple[bytes, ...]:
        """Return the siblings on the way of one leaf, counted from 0 within the branch."""
        return (*_siblings(_rows(self.leaves), place), *self.path)


class Tree:
    """A tree over leaves, each the digest of a data group (`combined`).

    Attributes:
        root: What is timestamped.
        leaves: How many.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """Compute the tree.

        Raises:
            ValueError: There is no leaf.
        """
        if not leaves:
            message = "a tree needs a leaf"
            raise ValueError(message)
        self.leaves = len(leaves)
        self._pieces = [tuple(leaves[at : at + BRANCH]) for at in range(0, len(leaves), BRANCH)]
        self._rows = _rows([root_of(piece) for piece in self._pieces])
        self.root = self._rows[-1][0]

    def branches(self) -> Iterator[Branch]:
        """Yield the branches in order; leaf `n` is leaf `n % BRANCH` of branch `n // BRANCH`."""
        for number, piece in enumerate(self._pieces):
            yield Branch(piece, _siblings(self._rows, number))

    def paths(self) -> Iterator[tuple[bytes, ...]]:
        """Yield for each leaf, in order, the siblings on its way to the root."""
        for branch in self.branches():
            yield from branch.paths()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over some leaves."""
    return _rows(leaves)[-1][0]


def climbed(leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root to which `path` leads from `leaf`."""
    for sibling in path:
        leaf = combined((leaf, sibling))
    return leaf


def _rows(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return the nodes of every height, leaves first, the root alone in the last row."""
    rows = [leaves]
    while len(row := rows[-1]) > 1:
        above = [combined(row[at : at + 2]) for at in range(0, len(row), 2)]
        rows.append(above)
    return rows


def _siblings(rows: Sequence[Sequence[bytes]], place: int) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for row in rows[:-1]:
        beside = place ^ 1
        if beside < len(row) and row[beside] != row[place]:
            found.append(row[beside])
        place >>= 1
    return tuple(found)
