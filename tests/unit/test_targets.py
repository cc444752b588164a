"""Which document takes a page that is put back, and at which place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import UsageError
from ingest.ledger.targets import chosen, placed


def document(name: str, *pages: int, **fields: Any) -> Any:
    plain: dict[str, Any] = {"erased_at": None, "standing": "done", "superseded_by": None}
    plain |= {"ordinal": 0, "revision": 1}
    return SimpleNamespace(id=name, pages=list(pages), **{**plain, **fields})


def omitted(**kinds: str) -> list[dict[str, Any]]:
    return [{"page": int(page[1:]), "kind": kind} for page, kind in kinds.items()]


@pytest.mark.parametrize(
    ("documents", "page", "left", "expected"),
    [
        ([document("a", 1, 3)], 2, omitted(p2="blank"), "a"),
        ([document("a", 2, 3)], 1, omitted(p1="separator"), "a"),
        ([document("a", 1)], 2, omitted(p2="blank"), "a"),
        ([document("a", 1), document("b", 4)], 2, omitted(p2="blank", p3="separator"), "a"),
        ([document("a", 1), document("b", 3)], 2, omitted(p2="blank"), "a"),
        ([document("a", 1), document("b", 3)], 2, omitted(p2="separator"), None),
        ([document("a", 1), document("b", 4)], 3, omitted(p2="separator", p3="blank"), None),
        ([document("a", 1, erased_at=1), document("b", 3)], 2, omitted(p2="separator"), "b"),
        ([document("a"), document("b", 3)], 2, omitted(p2="blank"), "b"),
    ],
)
def test_the_document_around_or_before_takes_the_page_and_doubt_is_refused(
    documents: list[Any], page: int, left: list[dict[str, Any]], expected: str | None
) -> None:
    if expected is not None:
        assert chosen(documents, page, left, None).id == expected
        return
    with pytest.raises(UsageError) as refused:
        chosen(documents, page, left, None)
    assert "a (Seiten 1–1), b (Seiten" in refused.value.operator_text
    assert chosen(documents, page, left, "b").id == "b"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("old", "ersetzt durch new"),
        ("gone", "gelöscht oder zurückgewiesen"),
        ("empty", "ohne Seiten"),
        ("foreign", "kein Dokument dieser"),
    ],
)
def test_a_named_document_that_cannot_take_it_is_refused(wanted: str, told: str) -> None:
    documents = [
        document("old", 1, standing="superseded", superseded_by="new"),
        document("new", 1),
        document("gone", 3, standing="rejected"),
        document("empty"),
    ]
    with pytest.raises(UsageError) as refused:
        chosen(documents, 2, omitted(p2="blank"), wanted)
    assert told in refused.value.operator_text


@given(st.sets(st.integers(1, 60), min_size=1), st.integers(1, 60))
def test_pages_in_order_stay_in_order(pages: set[int], page: int) -> None:
    if page not in pages:
        assert placed(sorted(pages), page, {}) == sorted({*pages, page})


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_no_page_is_lost_and_the_others_keep_their_order(pages: list[int], after: int) -> None:
    found = placed(pages, 9, {"after": after})
    assert [page for page in found if page != 9] == list(pages)
    assert found.index(9) == (0 if after == 0 else list(pages).index(after) + 1)


def test_without_a_word_a_page_goes_before_the_first_higher_one() -> None:
    assert placed([1, 6, 3, 4], 5, {}) == [1, 5, 6, 3, 4]
    assert placed([6, 1, 2], 9, {}) == [6, 1, 2, 9]


def test_in_an_interleaved_stack_the_record_tells_document_and_place() -> None:
    first, second = document("a", 1, 10, 2, ordinal=1), document("b", 4, 7, 5, ordinal=2)
    newer = document("c", 4, 7, 5, ordinal=2, revision=2)
    left = [
        {"page": 3, "kind": "separator", "document": 2, "after": 0},
        {"page": 9, "kind": "blank", "document": 1, "after": 2},
        {"page": 8, "kind": "blank", "document": 2, "after": 0},
    ]
    assert chosen([first, second], 3, left, None).id == "b"
    assert chosen([first, second, newer], 8, left, None).id == "c"
    assert chosen([first, second], 9, left, None).id == "a"
    assert placed([1, 10, 2], 9, left[1]) == [1, 10, 2, 9]
    assert placed([4, 7, 5], 3, left[0]) == [3, 4, 7, 5]
