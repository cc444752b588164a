"""Operator codes, persons and roles: four eyes are two persons, under whichever codes."""

from __future__ import annotations

import pytest

from ingest.document import Role, Standing, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, erasure, people, schema
from ingest.ledger.installation import chain_of
from tests.plugins.ledgers import arrival, broken, claim_at, deliver, events, rows

TENANT = "default"


def staff(ledger: Ledger) -> None:
    with ledger.writing() as connection:
        people.register(connection, TENANT, "ADM", by="ADM")
        people.give(connection, TENANT, "ADM", Role.ADMINISTRATOR, by="ADM")
        for code in ("MM", "KL"):
            people.register(connection, TENANT, code, by="ADM")
        people.register(connection, TENANT, "MM2", by="ADM", same_as="MM")


def refused(ledger: Ledger, act: str, *args: object, **kw: object) -> str:
    with pytest.raises(UsageError) as caught, ledger.writing() as connection:
        getattr(people, act)(connection, TENANT, *args, **kw)
    return caught.value.operator_text


def test_two_codes_of_one_person_are_no_four_eyes(ledger: Ledger) -> None:
    staff(ledger)
    acts = {"Scannen": "MM", "Prüfung": "MM2"}
    assert "zwei verschiedene Personen" in refused(ledger, "require_apart", acts)
    with ledger.writing() as connection:
        people.require_apart(connection, TENANT, {"Scannen": "MM", "Prüfung": "KL"})


def test_a_role_counts_under_every_code_of_its_person_until_it_ends(ledger: Ledger) -> None:
    staff(ledger)
    assert "nicht gemeldet" in refused(ledger, "require_role", "XY", Role.CHECKER)
    assert "Qualitätssicherung" in refused(ledger, "require_role", "MM", Role.CHECKER)
    with ledger.writing() as connection:
        people.give(connection, TENANT, "MM", Role.CHECKER, by="ADM")
        one = people.require_role(connection, TENANT, "MM2", Role.CHECKER)
        assert one == people.person_of(connection, TENANT, "MM")
        people.take(connection, TENANT, "MM", Role.CHECKER, by="ADM")
    assert "people give" in refused(ledger, "require_role", "MM2", Role.CHECKER)


def test_who_runs_the_system_does_not_judge_its_results(ledger: Ledger) -> None:
    staff(ledger)
    text = refused(ledger, "give", "ADM", Role.AUDITOR, by="ADM")
    assert "dürfen nicht bei derselben Person liegen" in text
    with ledger.writing() as connection:
        people.give(connection, TENANT, "MM", Role.CHECKER, by="ADM")
    assert "derselben Person" in refused(ledger, "give", "MM2", Role.ADMINISTRATOR, by="ADM")


def test_only_an_administrator_changes_people_once_there_is_one(ledger: Ledger) -> None:
    staff(ledger)
    for act, args in (
        ("register", ("NEU",)),
        ("give", ("KL", Role.CHECKER)),
        ("take", ("ADM", Role.ADMINISTRATOR)),
        ("leave", ("KL",)),
    ):
        assert "Administration" in refused(ledger, act, *args, by="KL")
    assert "schon vergeben" in refused(ledger, "register", "KL", by="ADM")


def test_who_left_does_nothing_any_more_and_their_code_is_nobody_elses(ledger: Ledger) -> None:
    staff(ledger)
    with ledger.writing() as connection:
        people.give(connection, TENANT, "KL", Role.CHECKER, by="ADM")
        people.leave(connection, TENANT, "KL", by="ADM")
        assert not people.has_role(connection, TENANT, "KL", Role.CHECKER)
    assert "nicht gemeldet" in refused(ledger, "require_role", "KL", Role.CHECKER)
    assert "schon vergeben" in refused(ledger, "register", "KL", by="ADM")


def test_whoever_comes_back_is_the_person_who_left(ledger: Ledger) -> None:
    staff(ledger)
    with ledger.writing() as connection:
        people.leave(connection, TENANT, "KL", by="ADM")
        person = people.register(connection, TENANT, "KL2", by="ADM", same_as="KL")
        assert person == people.person_behind(connection, TENANT, "KL")
    assert "nicht gemeldet" in refused(ledger, "register", "NEU", by="ADM", same_as="XY")


def test_only_the_first_code_begins(ledger: Ledger) -> None:
    assert "nicht gemeldet" in refused(ledger, "register", "MM", by="ADM")
    with ledger.writing() as connection:
        people.register(connection, TENANT, "ADM", by="ADM")
    for act, args, by in (
        ("register", ("MM",), "MM"),
        ("register", ("MM",), "ADM"),
        ("give", ("ADM", Role.RELEASER), "ADM"),
        ("leave", ("ADM",), "ADM"),
    ):
        refused(ledger, act, *args, by=by)
    assert events(ledger, chain_of(TENANT)) == ["operator_registered"]
    with ledger.writing() as connection:
        people.give(connection, TENANT, "ADM", Role.ADMINISTRATOR, by="ADM")


def test_the_last_administrator_stays(ledger: Ledger) -> None:
    staff(ledger)
    role = Role.ADMINISTRATOR
    assert "people give" in refused(ledger, "take", "ADM", role, by="ADM")
    assert "people give" in refused(ledger, "leave", "ADM", by="ADM")
    with ledger.writing() as connection:
        people.give(connection, TENANT, "MM", role, by="ADM")
        people.leave(connection, TENANT, "ADM", by="MM2")
    assert "people give" in refused(ledger, "take", "MM", role, by="MM2")
    assert "people give" in refused(ledger, "leave", "MM", by="MM")
    assert "Administration" in refused(ledger, "give", "KL", role, by="KL")
    assert "nicht gemeldet" in refused(ledger, "register", "NEU", by="NEU")


def test_every_change_is_an_event_of_the_tenants_chain(ledger: Ledger) -> None:
    staff(ledger)
    kinds = events(ledger, chain_of(TENANT))
    assert kinds == ["operator_registered", "role_given", *["operator_registered"] * 3]
    assert broken(ledger) == []


def test_a_refused_change_leaves_nothing(ledger: Ledger) -> None:
    staff(ledger)
    refused(ledger, "register", "Maria Muster", by="ADM")
    refused(ledger, "give", "XY", Role.CLERK, by="ADM")
    assert len(events(ledger, chain_of(TENANT))) == 5


def test_a_role_that_somebody_has_is_asked_of_everybody(ledger: Ledger) -> None:
    staff(ledger)
    with ledger.writing() as connection:
        people.require_if_given(connection, TENANT, "unbekannt", Role.SECURITY_OFFICER)
        people.give(connection, TENANT, "KL", Role.SECURITY_OFFICER, by="ADM")
        people.require_if_given(connection, TENANT, "KL", Role.SECURITY_OFFICER)
    assert "nicht gemeldet" in refused(ledger, "require_if_given", "XY", Role.SECURITY_OFFICER)
    assert "IT-Sicherheit" in refused(ledger, "require_if_given", "MM", Role.SECURITY_OFFICER)


def test_only_the_security_officer_lets_out_of_quarantine(ledger: Ledger) -> None:
    staff(ledger)
    ledger.accept(arrival())
    claim = claim_at(ledger, Step.INSPECTION)
    texts = {"code": "dangerous", "operator_text": "Bombe", "message": "bomb"}
    assert ledger.set_aside(claim, Standing.QUARANTINED, **texts)
    with ledger.writing() as connection:
        people.give(connection, TENANT, "KL", Role.SECURITY_OFFICER, by="ADM")
    with pytest.raises(UsageError, match="MM"):
        ledger.release(claim.unit_id, "MM", "harmlos")
    ledger.release(claim.unit_id, "KL", "harmlos")


def test_once_there_are_persons_nobody_else_decides(ledger: Ledger) -> None:
    ledger.accept(arrival())
    assert ledger.set_aside(
        claim_at(ledger, Step.INSPECTION),
        Standing.HELD,
        code="password_needed",
        operator_text="Kennwort",
        message="encrypted",
    )
    (batch_id,) = [row.id for row in rows(ledger, schema.batch)]
    staff(ledger)
    for decide in (ledger.release, ledger.reject):
        with pytest.raises(UsageError) as caught:
            decide(batch_id, "XY", "weil")
        assert "XY ist nicht gemeldet" in caught.value.operator_text
    with pytest.raises(UsageError, match="XY"):
        ledger.retry(batch_id, "XY")
    assert events(ledger, batch_id) == ["received", "held"]
    ledger.reject(batch_id, "MM", "nicht für uns")


def test_only_the_head_of_the_office_erases_once_there_is_one(ledger: Ledger) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    document = rows(ledger, schema.document)[0].id
    staff(ledger)
    erase(ledger, document, "XY", "nicht gemeldet")
    with ledger.writing() as connection:
        people.give(connection, TENANT, "KL", Role.SUPERVISOR, by="ADM")
    erase(ledger, document, "MM", "Leitung der Scanstelle")
    with ledger.writing() as connection:
        assert erasure.erase(connection, document, "KL", "versehentlich geöffnet")


def erase(ledger: Ledger, document: str, by: str, text: str) -> None:
    """Try to erase, and expect a refusal with a text."""
    with pytest.raises(UsageError) as caught, ledger.writing() as connection:
        erasure.erase(connection, document, by, "versehentlich geöffnet")
    assert text in caught.value.operator_text
