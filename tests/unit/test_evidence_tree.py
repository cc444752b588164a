"""Laws of the hash tree and of the record's form, RFC 4998."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.evidence import der, record
from workers.evidence.record import ArchiveTimeStamp, NotARecord
from workers.evidence.tree import BRANCH, Tree, climbed, combined

DIGESTS = st.binary(min_size=32, max_size=32)
FOREIGN = hashlib.sha256(b"no document of the tree").digest()
SEVERAL = st.lists(DIGESTS, min_size=1, max_size=40, unique=True)


def _many(count: int) -> list[bytes]:
    return [hashlib.sha256(b"%d" % number).digest() for number in range(count)]


def _by_the_rfc(leaves: list[bytes]) -> bytes:
    """Compute the root as RFC 4998, section 4.2, describes it: pairs, sorted, hashed."""
    while len(leaves) > 1:
        pairs = [leaves[at : at + 2] for at in range(0, len(leaves), 2)]
        leaves = [
            hashlib.sha256(min(pair) + max(pair)).digest() if len(pair) > 1 else pair[0]
            for pair in pairs
        ]
    return leaves[0]


@given(SEVERAL)
def test_every_leaf_leads_to_the_root_and_no_other_does(leaves: list[bytes]) -> None:
    tree = Tree(leaves)
    assert tree.root == _by_the_rfc(leaves)
    paths = list(tree.paths())
    for leaf, path in zip(leaves, paths, strict=True):
        assert climbed(leaf, path) == tree.root
        assert climbed(FOREIGN, path) != tree.root
        for other in leaves:
            assert other in (leaf, *path[:1]) or climbed(other, path) != tree.root


@pytest.mark.parametrize("count", [1, BRANCH - 1, BRANCH, BRANCH + 1, 3 * BRANCH, 3 * BRANCH + 17])
def test_branches_are_cut_so_that_the_root_is_that_of_the_whole_tree(count: int) -> None:
    leaves = _many(count)
    tree = Tree(leaves)
    assert tree.root == _by_the_rfc(leaves)
    branches = list(tree.branches())
    assert [leaf for branch in branches for leaf in branch.leaves] == leaves
    for number, (leaf, path) in enumerate(zip(leaves, tree.paths(), strict=True)):
        assert climbed(leaf, path) == tree.root
        assert branches[number // BRANCH].path_of(number % BRANCH) == path


@given(SEVERAL)
def test_a_group_stands_for_its_set_of_digests_in_whatever_order(digests: list[bytes]) -> None:
    assert combined(digests) == combined([*reversed(digests), digests[0]])
    if len(digests) == 1:
        assert combined(digests) == digests[0]
    else:
        assert combined(digests) != combined(digests[1:])


def test_nothing_has_no_tree() -> None:
    with pytest.raises(ValueError, match="leaf"):
        Tree([])
    with pytest.raises(ValueError, match="digest"):
        combined([])


LISTS = st.lists(st.lists(DIGESTS, min_size=1, max_size=3).map(tuple), max_size=4).map(tuple)
TOKENS = st.binary(max_size=200).map(lambda content: der.element(der.SEQUENCE, content))
CHAINS = st.lists(st.builds(ArchiveTimeStamp, LISTS, TOKENS), min_size=1, max_size=3)


@given(CHAINS)
def test_what_was_written_is_read_again(chain: list[ArchiveTimeStamp]) -> None:
    assert record.read(record.write(chain)) == tuple(chain)


@given(CHAINS, st.data())
def test_a_flipped_bit_is_another_record_or_none(
    chain: list[ArchiveTimeStamp], data: st.DataObject
) -> None:
    encoded = bytearray(record.write(chain))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = record.read(bytes(encoded))
    except NotARecord:
        return
    assert found != tuple(chain)


@given(CHAINS, st.binary(min_size=1, max_size=4))
def test_nothing_may_follow_or_be_missing(chain: list[ArchiveTimeStamp], more: bytes) -> None:
    encoded = record.write(chain)
    with pytest.raises(NotARecord):
        record.read(encoded + more)
    with pytest.raises(NotARecord):
        record.read(encoded[: -len(more)])


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_order(content: bytes) -> None:
    with pytest.raises(NotARecord):
        record.read(content)


def test_a_length_with_a_zero_in_front_is_not_canonical() -> None:
    encoded = record.write([ArchiveTimeStamp((), der.element(der.SEQUENCE, os.urandom(300)))])
    assert encoded[1] == 0x82
    longer = encoded[:1] + b"\x83\x00" + encoded[2:]
    with pytest.raises(NotARecord, match="form"):
        record.read(longer)
