"""Seals whose key is at a remote service: every kind of them, and none where it does not answer."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.document import OUTGOING, Assignment, Envelope, RenditionKind, Step
from ingest.errors import AuthorityUnavailable, Misconfigured
from ingest.ledger.reading import rows
from profiles.sealing import SealingRules
from tests.plugins import papers
from tests.plugins.bureau import Bureau
from tests.plugins.letters import Desk, after, image_pdf
from tests.plugins.signed import Scheme
from tests.plugins.signing_service import (
    ACCESS,
    METHODS,
    PIN,
    SigningService,
    configured,
    serving,
    write_secret,
)
from tests.plugins.supplements import confirming, content_of, delivered, judged, sealed
from tests.plugins.transfers import by_clerk, replacing
from tests.plugins.trust import Trust, trusting
from workers import note, sealing
from workers.evidence.bundle import signing
from workers.sealing.levels import _revocation
from workers.sealing.proof import verify_container
from workers.sealing.remote import _remote
from workers.sealing.timestamps import load_roots
from workers.supplementproof import judge_supplement
from workers.verification import verify_pdf


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    _revocation.cache_clear()
    with trusting(tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture(scope="module")
def running(trust: Trust) -> Iterator[SigningService]:
    with serving(trust.keys["qseal"], trust.certificate("qseal")) as service:
        yield service


@pytest.fixture
def service(running: SigningService) -> SigningService:
    running.reset()
    _remote.cache_clear()
    return running


@pytest.fixture
def desk(tmp_path: Path, trust: Trust, service: SigningService) -> Desk:
    return desk_with(tmp_path, trust, service)


def desk_with(folder: Path, trust: Trust, service: SigningService, **more: Any) -> Desk:
    given = {
        "csc": configured(service, folder / "secrets", trust.pem("interm", "root")),
        "tsa_urls": [trust.tsa],
        "tsa_roots": trust.pem("tsa-root"),
        "tsa_timeout_seconds": 5,
    }
    return Desk(folder, sealing=given, **more)


def with_rules(assignment: Assignment, **rules: Any) -> Assignment:
    made = SealingRules(**{"key": "organisation", **rules})
    profile = {**assignment.profile, "sealing": made.model_dump(mode="json")}
    return dataclasses.replace(assignment, profile=profile)


def noted(desk: Desk, level: str, **rules: Any) -> Assignment:
    assignment = desk.letter(composed=image_pdf())
    outcome = note.perform(assignment, desk.context())
    return with_rules(after(assignment, Step.NOTE, outcome, Step.SEALING), level=level, **rules)


def failed(content: bytes, trust: Trust, folder: Path) -> set[str]:
    path = folder / "sealed.pdf"
    path.write_bytes(content)
    found = verify_pdf(path, None, trust.pem("tsa-root"), seal_roots=trust.pem("root"))
    return {check.name for check in found.checks if check.required and not check.passed}


@pytest.mark.parametrize("level", ["B-B", "B-T", "B-LT", "B-LTA"])
def test_each_level_is_made_by_one_signature_over_a_digest(
    tmp_path: Path, desk: Desk, trust: Trust, service: SigningService, level: str
) -> None:
    assignment = noted(desk, level)
    outcome = sealing.perform(assignment, desk.context())
    assert (outcome.facts["level"], outcome.facts["kind"]) == (level, "organisation")
    (made,) = outcome.renditions
    assert failed(desk.context().read(made.sha256), trust, tmp_path) == set()
    assert service.methods() == list(METHODS)
    # Nothing that was sent could hold the document, or says which it is.
    sent = json.dumps([question for _, question in service.asked])
    assert len(sent) < 1000
    assert assignment.document is not None
    assert assignment.document.id not in sent


def test_letters_leave_under_it_as_well(
    tmp_path: Path, desk: Desk, trust: Trust, service: SigningService
) -> None:
    envelope = Envelope(profile="bescheid", channel=OUTGOING, operator="AB12")
    letter = desk.letter(
        source=image_pdf(),
        source_name="bescheid.pdf",
        envelope=envelope,
        profile="bescheid",
        texts=(),
    )
    facts = {OUTGOING: {"class": "bescheid", "released_by": "AB12", "visible": False}}
    batch = dataclasses.replace(letter.batch, facts=facts)
    ordered = dataclasses.replace(letter, step=Step.SEALING, batch=batch)
    outcome = sealing.perform(ordered, desk.context())
    assert outcome.leaves is not None
    assert outcome.leaves["level"] == "B-LT"
    (made,) = outcome.renditions
    assert failed(desk.context().read(made.sha256), trust, tmp_path) == set()
    assert service.methods() == list(METHODS)


def test_a_supplementary_note_is_sealed_beside_it(
    desk: Desk, trust: Trust, service: SigningService
) -> None:
    scan = replacing(desk, by_clerk())
    pending = delivered(desk, with_rules(scan, **{**scan.profile["sealing"], "level": "B-T"}))
    done = sealed(desk, confirming(desk, judged(pending)))
    assert service.methods() == [METHODS[0], *METHODS[1:], *METHODS[1:]]
    found = judge_supplement(
        content_of(desk, done, RenditionKind.SUPPLEMENT),
        content_of(desk, done, RenditionKind.SUPPLEMENT_SEAL),
        {"installation": [], "organisation": load_roots(trust.pem("interm", "root"))},
        load_roots(trust.pem("tsa-root")),
    )
    assert found.passed, found.text


def test_the_list_of_a_bundle_is_signed_with_it(desk: Desk, service: SigningService) -> None:
    plain = desk.settings.for_children(sealing=True)
    sign = signing.prepare({"settings": plain, "kind": "organisation"})
    made = base64.b64decode(sign({"list": base64.b64encode(b"liste").decode()})["seal"])
    certificate, stamp = verify_container(made, hashlib.sha256(b"liste").digest())
    assert (certificate, stamp) == (service.named, None)
    assert service.methods() == list(METHODS)


def test_a_qualified_seal_is_held_against_the_lists(
    tmp_path: Path, trust: Trust, service: SigningService
) -> None:
    scheme = Scheme()
    lists = scheme.settings(tmp_path / "lists", trust.certificate("interm"))
    desk = desk_with(tmp_path, trust, service, validation=lists)
    demanded = noted(desk, "B-T", means="qseal")
    facts = sealing.perform(demanded, desk.context()).facts
    assert facts["qualified"]["answer"] == "yes"
    service.signs_with, service.named = trust.keys["qseal-soft"], trust.certificate("qseal-soft")
    _remote.cache_clear()
    signed = service.methods().count(METHODS[2])
    with pytest.raises(Misconfigured, match="qualified seal demanded"):
        sealing.perform(demanded, desk.context())
    assert service.methods().count(METHODS[2]) == signed


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (f"{METHODS[0]} unavailable", AuthorityUnavailable),
        (f"{METHODS[1]} refused", Misconfigured),
        (f"{METHODS[2]} broken_signature", AuthorityUnavailable),
    ],
)
def test_without_the_service_nothing_is_sealed_and_nothing_weaker_instead(
    desk: Desk, service: SigningService, fault: str, kind: type[Exception]
) -> None:
    service.fault = fault
    context = desk.context()
    with pytest.raises(kind):
        sealing.perform(noted(desk, "B-B"), context)


def test_a_revoked_certificate_seals_nothing_and_asks_for_no_signature(
    desk: Desk, trust: Trust, service: SigningService
) -> None:
    service.signs_with, service.named = trust.keys["revoked"], trust.certificate("revoked")
    with pytest.raises(Misconfigured, match="revoked"):
        sealing.perform(noted(desk, "B-LT"), desk.context())
    assert service.methods() == [METHODS[0]]


def test_an_expired_certificate_seals_nothing(
    desk: Desk, trust: Trust, service: SigningService
) -> None:
    service.signs_with, service.named = trust.keys["expired"], trust.certificate("expired")
    with pytest.raises(Misconfigured, match="not valid now"):
        sealing.perform(noted(desk, "B-B"), desk.context())
    assert service.methods() == [METHODS[0]]


def test_a_letter_waits_for_the_service_and_no_secret_stays_anywhere(
    tmp_path: Path,
    trust: Trust,
    service: SigningService,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    secrets, house = tmp_path / "secrets", tmp_path / "house"
    csc = configured(service, secrets, trust.pem("interm", "root"))
    bureau = Bureau(house, csc=csc)
    service.fault = f"{METHODS[1]} repeating"
    batch = bureau.take({"brief.png": papers.png("Sehr geehrte Damen und Herren")})
    (document,) = bureau.documents(batch)
    with bureau.ledger.reading() as connection:
        (row,) = (one for one in rows(connection) if one["id"] == document)
    assert (row["stage"], row["standing"]) == ("noted", "deferred")
    assert "die PIN in" in row["reason"]
    service.fault = None
    write_secret(secrets / "pin_file", PIN)
    bureau.ledger.retry(document, by="op17")
    bureau.work()
    (sidecar,) = bureau.settings.outbox("default").glob("*/*.json")
    assert json.loads(sidecar.read_text("utf-8"))["seal"]["kind"] == "Siegel"
    bureau.ledger.close()
    (activation,) = (asked["SAD"] for method, asked in service.asked if method == METHODS[2])
    kept = [path.read_bytes() for path in house.rglob("*") if path.is_file()]
    printed = "".join([*capfd.readouterr(), caplog.text])
    for secret in (ACCESS, PIN, activation):
        assert secret not in printed
        assert not any(secret.encode() in content for content in kept)


def test_only_children_that_seal_are_told_of_the_secrets(desk: Desk) -> None:
    told = json.dumps(desk.settings.for_children(sealing=True))
    assert "access_token_file" in told
    assert ACCESS not in told
    assert PIN not in told
    assert "secrets" not in json.dumps(desk.settings.for_children())
