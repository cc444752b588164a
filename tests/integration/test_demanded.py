"""Where a class demands qualified: the certificate is it, or nothing is sealed."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.document import Assignment, Facts, Step
from ingest.errors import AuthorityUnavailable, Misconfigured, TrustUnknown
from ingest.validation_settings import ValidationSettings
from profiles.sealing import SealingRules
from tests.plugins.letters import Desk, after, image_pdf
from tests.plugins.signed import Scheme
from tests.plugins.tokens import Card, make_card
from tests.plugins.trust import Trust, trusting
from workers import note, sealing
from workers.sealing.demanded import Demand


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusting(tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture(scope="module")
def scheme() -> Scheme:
    return Scheme()


def lists(scheme: Scheme, trust: Trust, folder: Path, **more: Any) -> ValidationSettings:
    return ValidationSettings(**scheme.settings(folder, trust.certificate("interm"), **more))


def demanded(trust: Trust, name: str, settings: ValidationSettings, means: str = "qseal") -> Facts:
    certificate, issuers = trust.issued(name)
    key: Any = SimpleNamespace(certificate=certificate, issuers=issuers)
    demand = Demand({"means": means}, settings)
    demand.require(key)
    return demand.facts


def test_a_qualified_seal_is_recorded_with_the_lists_that_said_so(
    tmp_path: Path, trust: Trust, scheme: Scheme
) -> None:
    facts = demanded(trust, "qseal", lists(scheme, trust, tmp_path))
    assert (facts["qualified"]["answer"], facts["qualified"]["kind"]) == ("yes", "seal")
    assert len(facts["trusted_lists_sha256"]) == 64


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("seal", "nicht qualifiziert"),
        ("citizen", "nicht für Siegel"),
        ("qseal-soft", "keine qualifizierte Siegelerstellungseinheit"),
    ],
)
def test_what_is_not_what_the_class_demands_is_refused(
    tmp_path: Path, trust: Trust, scheme: Scheme, name: str, told: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        demanded(trust, name, lists(scheme, trust, tmp_path))
    assert told in caught.value.operator_text


def test_what_claims_nothing_is_refused_without_any_list(trust: Trust) -> None:
    with pytest.raises(Misconfigured, match="qualified seal demanded"):
        demanded(trust, "seal", ValidationSettings())


@pytest.mark.parametrize("fault", ["none", "ended", "not_listed"])
def test_where_no_list_counts_the_document_waits_without_losing_a_try(
    tmp_path: Path, trust: Trust, scheme: Scheme, fault: str
) -> None:
    settings = ValidationSettings()
    if fault == "ended":
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        settings = lists(scheme, trust, tmp_path, ends=yesterday)
    if fault == "not_listed":
        settings = ValidationSettings(**scheme.settings(tmp_path, trust.certificate("tsa-root")))
    with pytest.raises(TrustUnknown) as caught:
        demanded(trust, "qseal", settings)
    assert not caught.value.consumes_try
    assert "nicht feststellbar" in caught.value.operator_text


@pytest.mark.parametrize("means", ["aes", "qes"])
def test_a_persons_signature_is_never_replaced_by_a_seal(trust: Trust, means: str) -> None:
    with pytest.raises(Misconfigured, match="person"):
        demanded(trust, "qseal", ValidationSettings(), means)


@pytest.mark.parametrize("means", [None, "aseal"])
def test_nothing_is_asked_where_nothing_is_demanded(trust: Trust, means: Any) -> None:
    assert demanded(trust, "seal", ValidationSettings(), means) == {}


@pytest.fixture(scope="module")
def card(trust: Trust, tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder = tmp_path_factory.mktemp("card") / "seal"
    return make_card(folder, trust.keys["qseal"], issued=trust.issued("qseal"))


def noted(desk: Desk, **rules: Any) -> Assignment:
    assignment = desk.letter(composed=image_pdf())
    outcome = note.perform(assignment, desk.context())
    assignment = after(assignment, Step.NOTE, outcome, Step.SEALING)
    made = SealingRules(**{"key": "organisation", "level": "B-T", "means": "qseal", **rules})
    profile = {**assignment.profile, "sealing": made.model_dump(mode="json")}
    return dataclasses.replace(assignment, profile=profile)


def desk_with(folder: Path, trust: Trust, card: Card, validation: ValidationSettings) -> Desk:
    given = {
        "token": card.settings,
        "tsa_urls": [trust.tsa],
        "tsa_roots": trust.pem("tsa-root"),
        "tsa_timeout_seconds": 120,
    }
    return Desk(folder, sealing=given, validation=validation)


def test_a_document_is_sealed_as_its_class_demands_or_not_at_all(
    tmp_path: Path, trust: Trust, card: Card, scheme: Scheme
) -> None:
    stampers = [trust.certificate("tsa")]
    current = lists(scheme, trust, tmp_path / "lists", stampers=stampers)
    desk = desk_with(tmp_path, trust, card, current)
    assignment = noted(desk, stamp="qts")
    outcome = sealing.perform(assignment, desk.context())
    assert outcome.facts["level"] == "B-T"
    assert outcome.facts["qualified"]["answer"] == "yes"

    unlisted = lists(scheme, trust, tmp_path / "other")
    desk = desk_with(tmp_path, trust, card, unlisted)
    with pytest.raises(AuthorityUnavailable) as caught:
        sealing.perform(noted(desk, stamp="qts"), desk.context())
    assert "Zeitstempeldienst ist nach den Vertrauenslisten nicht qualifiziert" in (
        caught.value.operator_text
    )
    assert sealing.perform(noted(desk, stamp="ts"), desk.context()).facts["level"] == "B-T"

    desk = desk_with(tmp_path, trust, card, ValidationSettings())
    trust.requests.clear()
    with pytest.raises(TrustUnknown):
        sealing.perform(noted(desk), desk.context())
    assert trust.requests == []
