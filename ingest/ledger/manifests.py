"""What a station says of its files, kept word for word: the envelope shows what was understood."""

from __future__ import annotations

import datetime as dt
from typing import Final

import sqlalchemy as sa

from ingest.document import Facts, Rendition, RenditionKind, Source, UnitKind
from ingest.ledger import outputs, schema
from ingest.ledger.terms import Arrival

_NEW_MANIFEST: Final = sa.insert(schema.rendition).inline()


def keep(connection: sa.Connection, arrival: Arrival, batch_id: str, moment: dt.datetime) -> None:
    """Write the manifests of an arrival, whose bytes the caller notes, as made from nothing."""
    rows: list[Facts] = [
        {
            "tenant": arrival.tenant,
            "unit_kind": UnitKind.BATCH,
            "unit_id": batch_id,
            **vars(_rendition(arrival, manifest)),
            "recorded_at": moment,
        }
        for manifest in arrival.manifests
    ]
    if rows:
        connection.execute(_NEW_MANIFEST, rows)


def row_named(arrival: Arrival, manifest: Source) -> Facts:
    """Return what the event of the receipt says of a manifest's row."""
    made = _rendition(arrival, manifest)
    return {outputs.ROWS: outputs.row_digest(arrival.tenant, UnitKind.BATCH, made)}


def _rendition(arrival: Arrival, manifest: Source) -> Rendition:
    return Rendition(
        kind=RenditionKind.MANIFEST,
        sha256=manifest.sha256,
        size=manifest.size,
        media_type="application/json",
        parent_sha256=manifest.sha256,
        tool=arrival.envelope.channel,
        settings={"name": manifest.name, "name_base64": manifest.name_base64},
    )
