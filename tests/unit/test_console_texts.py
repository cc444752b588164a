"""Times are shown in the zone of the house."""

from __future__ import annotations

from console.texts import in_zone, local_time


def test_a_date_of_receipt_stays_the_same_day() -> None:
    record = {"received_at": "2026-11-19T23:00:00+00:00", "events": [{"at": None}]}
    shown = in_zone(record, "Europe/Berlin")
    assert shown["received_at"] == "2026-11-20T00:00:00+01:00"


def test_what_is_no_time_stays_as_it_is() -> None:
    record = {"received_at": None, "expected_at": "nicht erfasst", "pages": 3, "name": "at"}
    assert in_zone(record, "Europe/Berlin") == record


def test_the_unknown_is_written_out() -> None:
    assert local_time(None, "Europe/Berlin") == "nicht erfasst"
