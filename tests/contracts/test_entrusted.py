"""Who may do what and what was released is what the events say, and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from ingest.document import Blob, Role
from ingest.ledger import (
    Ledger,
    accepting,
    chains,
    devices,
    open_ledger,
    people,
    procedures,
    pseudonyms,
    releasing,
    schema,
    stations,
)
from ingest.ledger.entrusted import taken_over, unexplained
from ingest.ledger.entrusting import TAKEN_OVER
from ingest.ledger.installation import chain_of, note
from ingest.ledger.integrity import events_of
from ingest.ledger.namebook import Namebook, Named, open_namebook
from profiles import load_file
from tests.contracts.test_agreement import change, found
from tests.plugins.ledgers import arrival, downgrade, events, rows
from tests.plugins.releases import TENANT, approved, procedure_released, profile_text, staffed

_operator, _role, _named = schema.operator, schema.operator_role, schema.named_person
_file, _text = schema.profile_file, schema.procedure_text
_device, _station = schema.scan_device, schema.station
SCANNER: Final = devices.SeenDevice(
    device="sane:S1", vendor="V", model="M", serial="S1", firmware="1.0"
)
OTHER: Final = devices.SeenDevice(**{**vars(SCANNER), "device": "sane:S2", "serial": None})


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Namebook]:
    book = open_namebook(f"sqlite:///{tmp_path / 'persons' / 'persons.sqlite'}")
    yield book
    book.close()


def people_come_and_go(ledger: Ledger, names: Namebook) -> None:
    staffed(ledger)
    with ledger.writing() as connection:
        people.register(connection, TENANT, "RV2", by="ADM")
        people.give(connection, TENANT, "RV2", Role.AUDITOR_DEPUTY, by="ADM")
        for code in ("LTG", "KL"):
            pseudonyms.enter(connection, names, TENANT, code, Named(name="N"), by="ADM")
        people.leave(connection, TENANT, "RV2", by="ADM")
        people.register(connection, TENANT, "RV3", by="ADM", same_as="RV2")
        people.take(connection, TENANT, "LT2", Role.SUPERVISOR, by="ADM")
        people.give(connection, TENANT, "LT2", Role.CHECKER, by="ADM")
        pseudonyms.strike(connection, names, TENANT, "KL", by="ADM", reason="Löschfrist")


def profiles_are_decided_about(ledger: Ledger, folder: Path) -> None:
    procedure_released(ledger)
    path = folder / "klasse.toml"
    loaded = []
    for version in ("1", "2", "3"):
        path.write_text(profile_text(version=version), encoding="utf-8")
        loaded.append(load_file(path, "klasse"))
    for one in loaded[:2]:
        approved(ledger, one)  # the second takes the first one's place
    with ledger.writing() as connection:
        releasing.submit(connection, TENANT, loaded[2], author="LTG")
        procedures.release(
            connection,
            TENANT,
            Blob(sha256="ab" * 32, size=1),
            kind="annex",
            name="Anlage",
            media_type="application/pdf",
            by="LTG",
            present=lambda *_: True,
        )
        procedures.remove(connection, TENANT, "ab" * 32, by="LTG", reason="ersetzt")


def scanners_and_stations_are_let_in(ledger: Ledger) -> None:
    until = dt.datetime(2099, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    terms = devices.ReleaseTerms(until=until, inventory="4711")
    with ledger.writing() as connection:
        for seen in (SCANNER, OTHER):
            devices.see(connection, TENANT, seen)
        devices.withdraw(connection, TENANT, SCANNER.device, by="LTG", reason="neu")
        devices.release(connection, TENANT, SCANNER.device, by="LTG", terms=terms)
        devices.see(connection, TENANT, devices.SeenDevice(**{**vars(SCANNER), "firmware": "2"}))
        devices.withdraw(connection, TENANT, OTHER.device, by="LTG", reason="alt")
        for code in ("SCAN1", "SCAN2", "SCAN1"):
            stations.add(connection, TENANT, code, by="ADM")
        stations.revoke(connection, TENANT, "SCAN2", by="ADM")


def _changed(table: sa.Table, key: dict[str, str], **values: Any) -> sa.Executable:
    change = sa.update(table).values(**values)
    return change.where(*(table.c[name] == value for name, value in key.items()))


def _given(code: str, role: str) -> sa.Executable:
    at = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    row = {"tenant": TENANT, "code": code, "role": role, "given_at": at, "given_by": "ADM"}
    return sa.insert(_role).values(row)


AT: Final = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
FORGED: Final[list[tuple[sa.Executable, str]]] = [
    (_given("KL", "auditor"), "Rolle auditor von KL: steht in keinem Ereignis"),
    (_given("RV3", "auditor_deputy"), "Rolle auditor_deputy von RV3: steht in keinem Ereignis"),
    (_changed(_role, {"code": "RV2"}, ended_at=None), "Rolle auditor_deputy von RV2: steht in"),
    (_changed(_role, {"code": "LTG"}, ended_at=AT), "Rolle supervisor von LTG: fehlt, die Ereig"),
    (_changed(_role, {"code": "LTG"}, role="destroyer"), "Rolle supervisor von LTG: fehlt"),
    (_changed(_role, {"code": "LTG"}, given_by="LT2"), "Rolle supervisor von LTG, erteilt von"),
    (
        sa.insert(_operator).values(tenant=TENANT, code="EVE", person="p", since_at=AT),
        "Kürzel EVE: steht in keinem Ereignis",
    ),
    (_changed(_operator, {"code": "LT3"}, person="p"), "Kürzel LT3, Person: nicht"),
    (_changed(_operator, {"code": "RV2"}, ended_at=None), "Kürzel RV2, Ausscheiden: nicht"),
    (sa.delete(_operator).where(_operator.c.code == "REV"), "Kürzel REV: fehlt"),
    (sa.insert(_named).values(tenant=TENANT, person="p", named_at=AT), "der Person p: steht in"),
    (sa.delete(_named), "Hinterlegter Name der Person"),
    (
        _changed(_file, {"version": "3"}, stage="tested"),
        "Stand: Eintrag getestet, Kette Entwurf",
    ),
    (
        _changed(_file, {"version": "1"}, stage="tested"),
        "Stand: Eintrag getestet, Kette zurückgezogen",
    ),
    (_changed(_file, {"version": "2"}, approved_by="LT2"), ", freigegeben von: nicht"),
    (_changed(_file, {"version": "2"}, author="LT2"), ", verfasst von: nicht"),
    (_changed(_file, {"version": "3"}, author_person="p"), ", Person, die verfasst hat: nicht"),
    (_changed(_file, {"version": "2"}, test_result="?"), ", Ergebnis des Tests: nicht"),
    (_changed(_file, {"version": "2"}, test_documents=["d"]), ", Dokumente des Tests: nicht"),
    (sa.delete(_file).where(_file.c.version == "1"), ": fehlt, die Ereignisse nennen es"),
    (_changed(_text, {}, sha256="cd" * 32), f"Verfahrensdokumentation {'cd' * 32}: steht in"),
    (_changed(_text, {}, released_by="KL"), ", freigegeben von: nicht"),
    (_changed(_device, {"device": "sane:S2"}, withdrawn_at=None), "sane:S2, Rücknahme: nicht"),
    (_changed(_device, {"device": "sane:S2"}, released_at=AT), "Gerät sane:S2, Freigabe: nicht"),
    (
        _changed(_device, {"device": "sane:S1"}, released_firmware="2"),
        "Gerät sane:S1, Firmware der Freigabe: nicht",
    ),
    (
        _changed(_device, {"device": "sane:S1"}, released_until_at=None),
        "Gerät sane:S1, Ende der Freigabe: nicht",
    ),
    (_changed(_device, {"device": "sane:S1"}, device="x"), "Gerät x: steht in keinem Ereignis"),
    (_changed(_station, {"code": "SCAN1"}, token_sha256="0"), "Arbeitsplatz SCAN1, Zugang: nicht"),
    (_changed(_station, {"code": "SCAN2"}, revoked_at=None), "SCAN2, Ende des Zugangs: nicht"),
    (_changed(_station, {"code": "SCAN1"}, code="SCAN3"), "Arbeitsplatz SCAN3: steht in keinem"),
]


def test_a_row_of_which_no_event_speaks_is_named(
    ledger: Ledger, names: Namebook, tmp_path: Path
) -> None:
    ledger.accept(arrival())
    people_come_and_go(ledger, names)
    profiles_are_decided_about(ledger, tmp_path)
    scanners_and_stations_are_let_in(ledger)
    assert found(ledger) == []
    with ledger.writing() as connection:
        told = list(events_of(connection, [chain_of(TENANT)]))
        for forged, said in FORGED:
            step = connection.begin_nested()
            assert connection.execute(forged).rowcount
            lines = list(unexplained(connection, TENANT, told))
            assert any(said in line for line in lines), (said, lines)
            step.rollback()
    assert found(ledger) == []
    change(ledger, _given("KL", "auditor"))
    assert found(ledger) == [f"{chain_of(TENANT)}: Rolle auditor von KL: steht in keinem Ereignis"]


def test_people_of_whom_the_chain_is_gone_altogether_are_named(ledger: Ledger) -> None:
    ledger.accept(arrival())
    staffed(ledger)
    chain = chain_of(TENANT)
    gone = ((schema.event_payload, "chain"), (schema.event, "chain"), (schema.chain, "id"))
    change(ledger, *(sa.delete(table).where(table.c[name] == chain) for table, name in gone))
    assert f"{chain}: Kürzel ADM: steht in keinem Ereignis" in found(ledger)


def test_the_chain_of_the_installation_passed_off_as_another_is_named(ledger: Ledger) -> None:
    ledger.accept(arrival())
    staffed(ledger)
    chain = schema.chain
    change(ledger, sa.update(chain).where(chain.c.id == chain_of(TENANT)).values(unit_kind="log"))
    change(ledger, _given("KL", "auditor"))
    said = " ".join(found(ledger))
    assert "Art der Kette: log ist es nicht" in said
    assert "Rolle auditor von KL" in said
    change(ledger, sa.update(chain).where(chain.c.unit_kind == "batch").values(unit_kind="log"))
    assert " ".join(found(ledger)).count("Art der Kette: log ist es nicht") == 2


def test_whoever_was_known_before_there_were_events_is_taken_over_once(
    ledger: Ledger, ledger_url: str, names: Namebook
) -> None:
    ledger.accept(arrival())
    staffed(ledger)
    downgrade(ledger, "0006")
    old = sa.text("INSERT INTO operator_name (tenant, code, name) VALUES ('default', :c, :n)")
    with ledger.writing() as connection:
        for code in ("LTG", "ALT", "AL2"):
            connection.execute(old, {"c": code, "n": "N"})

    def keep(tenant: str, person: str, name: str) -> None:
        names.enter(tenant, person, Named(name=name))

    later = open_ledger(ledger_url, keep)
    assert found(later) == []
    assert events(later, chain_of(TENANT))[-1] == TAKEN_OVER
    with later.reading() as connection:
        listed = taken_over(connection, TENANT)
        assert listed[:2] == ["Kürzel AL2", "Kürzel ALT"]
        assert len([one for one in listed if one.startswith("Name der Person ")]) == 3
    with later.writing() as connection:
        people.give(connection, TENANT, "ALT", Role.CLERK, by="ADM")
        pseudonyms.strike(connection, names, TENANT, "AL2", by="ADM", reason="Löschfrist")
        people.leave(connection, TENANT, "ALT", by="ADM")
    assert found(later) == []
    later.close()
    downgrade(ledger, "0013")
    again = open_ledger(ledger_url)
    assert events(again, chain_of(TENANT)).count(TAKEN_OVER) == 1
    change(again, _changed(_operator, {"code": "ALT"}, person="p"))
    [line] = found(again)
    assert "Kürzel ALT, Person: nicht" in line
    again.close()


def test_an_upgrade_takes_over_what_acts_speak_for_and_nothing_that_was_forged(
    ledger: Ledger, ledger_url: str, names: Namebook
) -> None:
    """Codes of migration 0012 of which acts were recorded since, and stations of before."""
    ledger.accept(arrival())
    staffed(ledger)
    moved_at = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    with ledger.writing() as connection:
        for number, code in enumerate(("ALT", "AL2", "AL3", "AL4")):
            row = {"tenant": TENANT, "person": f"p{number}"}
            connection.execute(sa.insert(_operator), {**row, "code": code, "since_at": moved_at})
            connection.execute(sa.insert(_named), {**row, "named_at": moved_at})
        people.give(connection, TENANT, "ALT", Role.CLERK, by="ADM")
        people.leave(connection, TENANT, "ALT", by="ADM")
        pseudonyms.strike(connection, names, TENANT, "AL2", by="ADM", reason="Löschfrist")
        pseudonyms.enter(connection, names, TENANT, "AL3", Named(name="N"), by="ADM")
        _station_of_before(connection, "SCAN1")
    forgery = (
        sa.insert(_operator).values(tenant=TENANT, code="EVE", person="p", since_at=AT),
        _given("EVE", "auditor"),
        _given("KL", "auditor"),
        sa.insert(_station).values(
            tenant=TENANT, code="SCAN9", token_sha256="0", added_by="ADM", added_at=AT
        ),
    )
    change(ledger, *forgery)
    downgrade(ledger, "0013")
    later = open_ledger(ledger_url)
    forged = ("Kürzel EVE", "Rolle auditor von EVE", "Rolle auditor von KL", "Arbeitsplatz SCAN9")
    said = [f"{chain_of(TENANT)}: {one}: steht in keinem Ereignis" for one in forged]
    assert found(later) == said
    with later.reading() as connection:
        codes = [f"Kürzel {code}" for code in ("AL2", "AL3", "AL4", "ALT")]
        marks = [f"Name der Person {person}" for person in ("p0", "p3")]
        assert taken_over(connection, TENANT) == [*codes, *marks, "Zugang von SCAN1"]
    change(later, _changed(_station, {"code": "SCAN1"}, token_sha256="1"))
    assert any("Arbeitsplatz SCAN1, Zugang: nicht" in line for line in found(later))
    later.close()


def _station_of_before(connection: sa.Connection, code: str) -> None:
    """Add a station as long as its event did not name the token."""
    row = {"tenant": TENANT, "code": code, "token_sha256": "ef" * 32, "added_by": "ADM"}
    connection.execute(sa.insert(_station), {**row, "added_at": accepting.now(connection)})
    note(connection, TENANT, chains.Entry(stations.ADDED, {"station": code}, "ADM"))


def test_nobody_registered_and_nothing_released_needs_no_event(ledger: Ledger) -> None:
    ledger.accept(arrival())
    with ledger.writing() as connection:
        devices.see(connection, TENANT, SCANNER)
    assert found(ledger) == []
    assert rows(ledger, _device)
