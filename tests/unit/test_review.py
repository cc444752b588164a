"""Which pages a person has to look at, and what the note says of them."""

from __future__ import annotations

from ingest.document import Page
from workers.review import of_recognition


def page(number: int, anomaly: str | None) -> Page:
    facts = {"recognition": {"anomaly": anomaly}}
    return Page(id=str(number), number=number, source=1, index=number - 1, sha256="", facts=facts)


def test_pages_that_the_engine_gave_up_are_named_by_what_happened() -> None:
    pages = [
        page(1, None),
        page(2, "tool_timed_out"),
        page(3, "tool_failed"),
        page(4, "tool_timed_out"),
        page(5, "odd"),
    ]
    found = {reason["code"]: reason for reason in of_recognition(pages)}
    assert {code: reason["pages"] for code, reason in found.items()} == {
        "tool_timed_out": [2, 4],
        "tool_failed": [3],
        "odd": [5],
    }
    assert "Zeitüberschreitung" in found["tool_timed_out"]["text"]
    assert "Absturz" in found["tool_failed"]["text"]
    assert "odd" in found["odd"]["text"]


def test_what_does_not_decode_is_nothing_to_look_at() -> None:
    assert list(of_recognition([page(1, "undecodable"), page(2, None)])) == []
