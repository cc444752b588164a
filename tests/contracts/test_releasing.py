"""Profiles that persons let into work, and what is refused without them."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import ProfileChoice, Step
from ingest.errors import ProfileInvalid, Unclear, UsageError
from ingest.ledger import Arrival, Ledger, needs, releasing, schema
from ingest.ledger.agreement import Examination
from ingest.ledger.installation import chain_of
from profiles import LoadedProfile, load_file
from profiles.protection import NEEDS
from tests.plugins.ledgers import (
    ALL,
    LEASE,
    arrival,
    broken,
    change,
    claim_at,
    events,
    everything,
    outcome,
    rows,
    work,
)
from tests.plugins.releases import TENANT, approved, procedure_released, profile_text, staffed

HIGH = ("high", "normal", "normal")


@pytest.fixture
def staff(ledger: Ledger) -> Ledger:
    staffed(ledger)
    return ledger


def version(folder: Path, text: str, name: str = "klasse") -> LoadedProfile:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return load_file(path, name)


def under(loaded: LoadedProfile, **fields: Any) -> Arrival:
    sent = arrival(profile=loaded.profile.name, **fields)
    return dataclasses.replace(sent, profile=loaded.facts(), profile_sha256=loaded.sha256)


def refused(ledger: Ledger, act: str, *args: Any, **kw: Any) -> str:
    with pytest.raises(UsageError) as caught, ledger.writing() as connection:
        getattr(releasing, act)(connection, TENANT, *args, **kw)
    return caught.value.operator_text


def act(ledger: Ledger, name: str, *args: Any, **kw: Any) -> Any:
    with ledger.writing() as connection:
        return getattr(releasing, name)(connection, TENANT, *args, **kw)


def stages(ledger: Ledger) -> list[str]:
    found = sorted(rows(ledger, schema.profile_file), key=lambda row: row.submitted_at)
    return [row.stage for row in found]


def intact(tenant: str, sha256: str) -> bool:
    return True


TRIAL = releasing.Trial(result="20 Blatt, alle lesbar")


def test_a_version_goes_from_draft_to_approved_by_two_persons(
    staff: Ledger, tmp_path: Path
) -> None:
    loaded = version(tmp_path, profile_text())
    procedure_released(staff)
    assert "nicht gemeldet" in refused(staff, "submit", loaded, author="XY")
    act(staff, "submit", loaded, author="LT3")
    assert "bekannt: Entwurf" in refused(staff, "submit", loaded, author="KL")
    assert "getestet" in refused(staff, "approve", "klasse", by="LT2", intact=intact)
    act(staff, "record_trial", "klasse", TRIAL, by="KL")
    # LTG and LT3 are two codes of one person.
    for code, said in (("LTG", "zwei verschiedene"), ("KL", "Leitung der Scanstelle")):
        assert said in refused(staff, "approve", "klasse", by=code, intact=intact)
    act(staff, "approve", "klasse", by="LT2", intact=intact)
    [row] = rows(staff, schema.profile_file)
    assert (row.stage, row.author, row.approved_by) == ("approved", "LT3", "LT2")
    assert hashlib.sha256(row.content).hexdigest() == row.sha256 == loaded.sha256
    kinds = events(staff, chain_of(TENANT))[-3:]
    assert kinds == ["profile_submitted", "profile_tested", "profile_approved"]


def test_a_class_that_claims_what_its_scans_cannot_show_is_not_taken(
    staff: Ledger, tmp_path: Path
) -> None:
    flat = version(tmp_path, profile_text() + '[scan]\nmode = "bitonal"\n')
    assert "bildliche Übereinstimmung" in refused(staff, "submit", flat, author="KL")
    assert stages(staff) == []


def test_a_replacing_class_needs_the_procedure_it_names_undamaged(
    staff: Ledger, tmp_path: Path
) -> None:
    act(staff, "submit", version(tmp_path, profile_text()), author="KL")
    act(staff, "record_trial", "klasse", TRIAL, by="KL")
    text = refused(staff, "approve", "klasse", by="LTG", intact=intact)
    assert "procedure release" in text
    procedure_released(staff)
    text = refused(staff, "approve", "klasse", by="LTG", intact=lambda *_: False)
    assert "fehlt in der Ablage oder ist beschädigt" in text
    act(staff, "approve", "klasse", by="LTG", intact=intact)


def test_very_high_availability_is_tested_on_documents_first(staff: Ledger, tmp_path: Path) -> None:
    procedure_released(staff)
    loaded = version(tmp_path, profile_text(("normal", "normal", "very_high")))
    act(staff, "submit", loaded, author="KL")
    act(staff, "record_trial", "klasse", TRIAL, by="KL")
    text = refused(staff, "approve", "klasse", by="LTG", intact=intact)
    assert "A.AM.VF.SH.1" in text
    unknown = releasing.Trial(result="gut", documents=("nirgends",))
    assert "nirgends" in refused(staff, "record_trial", "klasse", unknown, by="KL")
    staff.accept(arrival())
    work(staff)
    [document] = rows(staff, schema.document)
    trial = releasing.Trial(result="gut", documents=(document.id,))
    act(staff, "record_trial", "klasse", trial, by="KL")
    act(staff, "approve", "klasse", by="LTG", intact=intact)


def test_the_next_version_takes_the_place_of_the_last_and_says_what_differs(
    staff: Ledger, tmp_path: Path
) -> None:
    procedure_released(staff)
    first = version(tmp_path, profile_text())
    approved(staff, first)
    second = version(tmp_path, profile_text(version="2"))
    act(staff, "submit", second, author="KL")
    act(staff, "record_trial", "klasse", TRIAL, by="KL")
    assert act(staff, "approve", second.sha256[:16], by="LTG", intact=intact) == first.sha256
    assert stages(staff) == ["withdrawn", "approved"]
    said = [row.payload for row in rows(staff, schema.event_payload)][-1]
    assert '-version = "1"\n+version = "2"' in said["difference"]
    assert said["before"] == first.sha256
    assert "nicht wieder" in refused(staff, "submit", first, author="KL")
    assert "Grund" in refused(staff, "withdraw", second.sha256, by="LTG", reason=" ")
    act(staff, "withdraw", second.sha256, by="LTG", reason="falsche Rechtsgrundlage")
    assert stages(staff) == ["withdrawn", "withdrawn"]
    assert broken(staff) == []


def test_an_arrival_under_a_class_that_is_not_approved_changes_nothing(
    staff: Ledger, tmp_path: Path
) -> None:
    procedure_released(staff)
    loaded = version(tmp_path, profile_text())
    before = everything(staff)
    with pytest.raises(ProfileInvalid, match="klasse") as caught:
        staff.accept(under(loaded))
    assert caught.value.code == "profile_not_released"
    assert "nicht eingereicht" in caught.value.operator_text
    assert everything(staff) == before
    approved(staff, loaded)
    first = under(loaded)
    assert staff.accept(first).created
    # One byte more is another version.
    changed = version(tmp_path, profile_text() + "\n")
    with pytest.raises(ProfileInvalid):
        staff.accept(under(changed))
    with pytest.raises(ProfileInvalid):
        staff.accept(dataclasses.replace(under(loaded), tenant="other"))
    act(staff, "withdraw", "klasse", by="LTG", reason="überholt")
    with pytest.raises(ProfileInvalid, match="withdrawn"):
        staff.accept(under(loaded))
    # What began goes on, and its receipt is given again.
    assert not staff.accept(first).created
    work(staff)
    [document] = rows(staff, schema.document)
    assert (document.stage, document.standing) == ("checked", "waiting"), "until it is judged"


def test_a_copying_profile_works_without_approval_and_not_once_withdrawn(
    staff: Ledger, tmp_path: Path
) -> None:
    loaded = version(tmp_path, profile_text(treatment="copying"))
    assert staff.accept(under(loaded)).created
    act(staff, "submit", loaded, author="KL")
    assert staff.accept(under(loaded)).created
    act(staff, "withdraw", "klasse", by="LTG", reason="nicht mehr gebraucht")
    with pytest.raises(ProfileInvalid):
        staff.accept(under(loaded))


def test_a_class_on_a_sheet_is_refused_on_recording_until_it_is_approved(
    staff: Ledger, tmp_path: Path
) -> None:
    procedure_released(staff)
    loaded = version(tmp_path, profile_text(HIGH))
    receipt = staff.accept(arrival())
    cut = ((1,), (2,))
    claim = claim_at(staff, Step.SEPARATION, cut)
    choice = ProfileChoice(name="klasse", sha256=loaded.sha256, content=loaded.facts(), priority=10)
    found = outcome(staff.assignment(claim), cut)
    parts = (found.parts[0], dataclasses.replace(found.parts[1], profile=choice))
    found = dataclasses.replace(found, parts=parts)
    with pytest.raises(Unclear, match="klasse") as caught:
        staff.record(claim, found)
    assert "Ab Seite 2 verlangt ein Trennblatt" in caught.value.operator_text
    assert rows(staff, schema.document) == []
    approved(staff, loaded)
    assert staff.record(claim, found)
    [batch] = rows(staff, schema.batch)
    assert (batch.id, batch.protection["integrity"]) == (receipt.batch_id, "high")
    with staff.reading() as connection:
        assert list(Examination(connection)) == []
    change(staff, schema.batch.update().values(protection=None))
    with staff.reading() as connection:
        [wrong] = Examination(connection)
    assert "Schutzbedarf" in wrong.reason


def test_what_needs_a_release_is_held_until_a_known_person_gives_it(
    staff: Ledger, tmp_path: Path
) -> None:
    loaded = version(tmp_path, profile_text(treatment="only_after_release"))
    receipt = staff.accept(under(loaded, held=("count_mismatch", "Ein Blatt fehlt.")))
    other = staff.accept(under(loaded))
    held = {row.id: row for row in rows(staff, schema.batch)}
    assert held[receipt.batch_id].reason.startswith("Ein Blatt fehlt. Die Klasse „klasse“ wird nur")
    assert {row.reason_code for row in held.values()} == {"release_needed"}
    with pytest.raises(UsageError, match="needs a release"):
        staff.retry(other.batch_id)
    assert staff.claim(ALL, "w", LEASE) is None
    with pytest.raises(UsageError, match="not registered"):
        staff.release(other.batch_id, "XY", "Zustimmung liegt vor")
    staff.release(other.batch_id, "KL", "Zustimmung liegt vor")
    assert staff.claim(ALL, "w", LEASE) is not None


_NEED = st.fixed_dictionaries({aspect: st.sampled_from(NEEDS) for aspect in needs.ASPECTS})


@given(st.lists(st.none() | _NEED, max_size=6), st.none() | _NEED)
def test_the_need_of_a_batch_is_the_highest_of_its_documents_and_never_sinks(
    documents: list[dict[str, str] | None], began: dict[str, str] | None
) -> None:
    found = needs.maximum([began, *documents])
    known = [need for need in (began, *documents) if need is not None]
    assert (found is None) == (not known)
    for aspect in needs.ASPECTS if found else ():
        ranks = [NEEDS.index(need[aspect]) for need in known]
        assert found is not None
        assert NEEDS.index(found[aspect]) == max(ranks)
    if began is not None:
        again = needs.maximum([found, *documents])
        assert again == found
