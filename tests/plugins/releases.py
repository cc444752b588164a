"""Scenes with released profiles: people with roles, a whole replacing class, its approval."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from ingest.document import Facts, Role
from ingest.ledger import (
    Arrival,
    Ledger,
    Receipt,
    accepting,
    people,
    procedures,
    releasing,
    schema,
)
from ingest.ledger.chains import Entry
from ingest.ledger.installation import note
from profiles import LoadedProfile
from tests.plugins.ledgers import rows

TENANT = "default"
PROCEDURE = b"Verfahrensdokumentation der Poststelle"
PROCEDURE_SHA256 = hashlib.sha256(PROCEDURE).hexdigest()
ROLES = {
    "ADM": Role.ADMINISTRATOR,
    "LTG": Role.SUPERVISOR,
    "LT2": Role.SUPERVISOR,
    "REV": Role.AUDITOR,
    "KL": Role.SCAN_OPERATOR,
}


def profile_text(
    need: tuple[str, str, str] = ("normal", "normal", "normal"),
    *,
    name: str = "klasse",
    version: str = "1",
    treatment: str = "replacing",
    strong: bool = True,
    procedure: str = PROCEDURE_SHA256,
) -> str:
    """Return a whole replacing class with a need for protection, strong or weak in its means."""
    means, stamp, share = ("qseal", "qts", 1.0) if strong else ("aseal", "ts", 0.04)
    return f"""name = "{name}"
version = "{version}"
title = "Klasse"
treatment = "{treatment}"
legal_basis = "§ 7 EGovG"
[protection]
integrity = "{need[0]}"
confidentiality = "{need[1]}"
availability = "{need[2]}"
reason = "Bescheide mit Rechtswirkung"
[procedure]
name = "Scannen in der Poststelle"
edition = "Rathaus"
version = "3"
as_of = "2026-01-01"
maintainer = "Amt 10"
sha256 = "{procedure}"
[intake]
received_at = "required"
[quality]
check = "before_delivery"
share = {share}
[sealing]
key = "organisation"
means = "{means}"
stamp = "{stamp}"
level = "B-LTA"
"""


def staffed(ledger: Ledger) -> None:
    """Register the people of `ROLES`; LT3 is another code of LTG."""
    with ledger.writing() as connection:
        for code, role in ROLES.items():
            people.register(connection, TENANT, code, by="ADM")
            people.give(connection, TENANT, code, role, by="ADM")
        people.register(connection, TENANT, "LT3", by="ADM", same_as="LTG")


def procedure_released(ledger: Ledger) -> None:
    """Let the written procedure be released without its bytes in the store."""
    row = {
        "tenant": TENANT,
        "sha256": PROCEDURE_SHA256,
        "kind": "written",
        "name": "vd.pdf",
        "media_type": "application/pdf",
        "size": len(PROCEDURE),
        "released_by": "LTG",
    }
    said = {"sha256": PROCEDURE_SHA256, "kind": row["kind"], "name": row["name"]}
    with ledger.writing() as connection:
        moment = accepting.now(connection)
        kept = {"tenant": TENANT, "sha256": PROCEDURE_SHA256, "size": len(PROCEDURE)}
        connection.execute(sa.insert(schema.blob), {**kept, "stored_at": moment})
        connection.execute(sa.insert(schema.procedure_text), {**row, "released_at": moment})
        note(connection, TENANT, Entry(procedures.RELEASED, said, "LTG"))


def taken(ledger: Ledger, sent: Arrival) -> Receipt:
    """Accept an arrival whose made-up class nobody had to approve; the last of a name counts."""
    known = [row for row in rows(ledger, schema.profile_file) if row.tenant == sent.tenant]
    before = [row.sha256 for row in known if row.name == sent.profile["name"]]
    with ledger.writing() as connection:
        for sha256 in before:
            ended = {"withdrawn_by": "LTG", "withdrawn_reason": "ersetzt"}
            _decide(connection, sent.tenant, sha256, {"stage": "withdrawn", **ended})
            entry = Entry(releasing.WITHDRAWAL, {"sha256": sha256, "reason": "ersetzt"}, "LTG")
            note(connection, sent.tenant, entry)
    if sent.profile_sha256 in [row.sha256 for row in known]:
        with ledger.writing() as connection:
            _decide(connection, sent.tenant, sent.profile_sha256, {"stage": "approved"})
            said = {"sha256": sent.profile_sha256}
            note(connection, sent.tenant, Entry(releasing.APPROVAL, said, "LTG"))
    else:
        let_in(ledger, sent.profile, sent.profile_sha256, sent.tenant)
    return ledger.accept(sent)


def _decide(connection: sa.Connection, tenant: str, sha256: str, values: Facts) -> None:
    table = schema.profile_file
    this = (table.c.tenant == tenant, table.c.sha256 == sha256)
    connection.execute(table.update().where(*this).values(values))


def let_in(ledger: Ledger, profile: Facts, sha256: str, tenant: str = TENANT) -> None:
    """Let arrivals come in under a made-up replacing class, past what its approval demands."""
    row: Facts = {
        "tenant": tenant,
        "sha256": sha256,
        "name": profile["name"],
        "version": profile.get("version", "1"),
        "treatment": profile["treatment"],
        "stage": "approved",
        "content": repr(profile).encode(),
        "author": "KL",
        "test_documents": [],
        "approved_by": "LTG",
    }
    said = {key: row[key] for key in ("name", "version", "sha256", "treatment")}
    with ledger.writing() as connection:
        row["submitted_at"] = accepting.now(connection)
        row["author_person"] = people.person_behind(connection, tenant, "KL") or "unknown"
        connection.execute(sa.insert(schema.profile_file), row)
        note(connection, tenant, Entry(releasing.SUBMITTED, said, "KL"))
        note(connection, tenant, Entry(releasing.APPROVAL, said, "LTG"))


def approved(ledger: Ledger, loaded: LoadedProfile, author: str = "KL", by: str = "LTG") -> None:
    """Lead a version from its author to its approval."""
    with ledger.writing() as connection:
        releasing.submit(connection, TENANT, loaded, author=author)
        trial = releasing.Trial(result="20 Blatt, alle lesbar")
        releasing.record_trial(connection, TENANT, loaded.sha256, trial, by=author)
        releasing.approve(connection, TENANT, loaded.sha256, by=by, intact=lambda *_: True)
