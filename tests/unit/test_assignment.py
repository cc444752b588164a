"""What a step may know of the arrival's envelope."""

from __future__ import annotations

import datetime as dt

from ingest.document import (
    Assignment,
    Batch,
    BatchStage,
    Document,
    Envelope,
    Facts,
    Stage,
    Step,
    UnitKind,
)

MOMENT = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)


def _assignment(hints: Facts) -> Assignment:
    envelope = Envelope(profile="posteingang", operator="op17", device="S1", received_at=MOMENT)
    batch = Batch(
        id="b",
        tenant="default",
        stage=BatchStage.CLOSED,
        envelope=envelope,
        registered_at=MOMENT,
        sources=(),
    )
    document = Document(
        id="d",
        batch_id="b",
        consignment_id="c",
        revision=1,
        ordinal=1,
        source=1,
        stage=Stage.CAPTURED,
        facts={"separation": hints},
    )
    return Assignment(
        step=Step.NOTE,
        unit_kind=UnitKind.DOCUMENT,
        unit_id="d",
        tenant="default",
        idempotency_key="k",
        attempt=1,
        profile={},
        profile_sha256="0" * 64,
        batch=batch,
        document=document,
    )


def test_a_separator_sheet_speaks_for_the_letter_behind_it() -> None:
    envelope = _assignment({"operator": "op4", "storage_place": "Karton 12"}).envelope
    assert (envelope.operator, envelope.storage_place) == ("op4", "Karton 12")


def test_what_the_sheet_does_not_say_is_the_batchs() -> None:
    envelope = _assignment({"operator": "op4"}).envelope
    assert (envelope.device, envelope.received_at) == ("S1", MOMENT)


def test_without_a_sheet_the_envelope_is_the_batchs() -> None:
    assignment = _assignment({})
    assert assignment.envelope == assignment.batch.envelope
