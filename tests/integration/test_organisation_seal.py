"""The organisation's seal: its key stays in the token, and whoever must act is told."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import shutil
import traceback
import types
from pathlib import Path
from typing import Any

import pikepdf
import pkcs11
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ingest.document import Assignment, Outcome, RenditionKind, Step
from ingest.errors import AuthorityUnavailable, Misconfigured, ToolMissing, UnsafeFolders
from tests.plugins.authority import serving
from tests.plugins.letters import Desk, after, image_pdf, undetected_flips
from tests.plugins.tokens import PIN, Card, Key, make_card
from workers import note, sealing
from workers.sealing.custody import TokenKey
from workers.sealing.proof import examine
from workers.verification import verify_pdf


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return make_card(tmp_path / "card", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def desk(tmp_path: Path, card: Card) -> Desk:
    return desk_with(tmp_path, card)


def desk_with(folder: Path, card: Card, **sealing: Any) -> Desk:
    return Desk(folder, sealing={"token": card.settings, **sealing})


def noted(desk: Desk, **letter: Any) -> Assignment:
    assignment = desk.letter(composed=image_pdf(), **letter)
    assignment = after(
        assignment, Step.NOTE, note.perform(assignment, desk.context()), Step.SEALING
    )
    rules = {**assignment.profile["sealing"], "key": "organisation"}
    return dataclasses.replace(assignment, profile={**assignment.profile, "sealing": rules})


def written(desk: Desk, outcome: Outcome, path: Path) -> Path:
    (made,) = outcome.renditions
    assert made.kind is RenditionKind.PDF
    path.write_bytes(desk.context().read(made.sha256))
    return path


def test_the_seal_of_the_organisation_is_called_seal_and_verifies(
    desk: Desk, card: Card, tmp_path: Path
) -> None:
    outcome = sealing.perform(noted(desk), desk.context())
    assert outcome.facts["kind"] == "organisation"
    assert outcome.facts["level"] == "B-B"
    assert "Stadt Musterhausen" in outcome.facts["subject"]
    path = written(desk, outcome, tmp_path / "brief.pdf")
    with pikepdf.open(path) as pdf:
        (field,) = pdf.Root.AcroForm.Fields.as_list()
        assert str(field.T).startswith("Siegel-")
        assert str(field.V.Reason) == "Siegel der Organisation – keine Unterschrift einer Person"
    seal = examine(path)
    assert seal is not None
    assert seal.kind == "organisation"
    root = tmp_path / "root.pem"
    root.write_bytes(card.root.public_bytes(serialization.Encoding.PEM))
    verification = verify_pdf(path, None, seal_roots=root)
    assert verification.passed, verification.facts()
    assert {check.name: check.text for check in verification.checks}["seal"] == "Siegel unversehrt."


def test_nobody_elses_root_vouches_for_the_seal(desk: Desk, tmp_path: Path) -> None:
    path = written(desk, sealing.perform(noted(desk), desk.context()), tmp_path / "brief.pdf")
    other = make_card(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    root = Path(other.settings["issuers"])
    verification = verify_pdf(path, None, seal_roots=root)
    assert {one.name for one in verification.checks if one.required and not one.passed} == {
        "signer"
    }


def test_every_byte_of_a_container_with_a_chain_is_looked_at(desk: Desk, tmp_path: Path) -> None:

    whole = written(
        desk, sealing.perform(noted(desk), desk.context()), tmp_path / "brief.pdf"
    ).read_bytes()
    start = whole.index(b"/Contents <3082") + len("/Contents ")
    path = tmp_path / "altered.pdf"
    undetected = undetected_flips(whole, range(start, whole.index(b">", start), 13), path)
    assert undetected == []


def test_keys_of_rsa_seal_as_well(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card", rsa.generate_private_key(65537, 3072))
    desk = desk_with(tmp_path, card)
    path = written(desk, sealing.perform(noted(desk), desk.context()), tmp_path / "brief.pdf")
    assert verify_pdf(path, None, seal_roots=Path(card.settings["issuers"])).passed


def test_a_timestamp_goes_with_the_seal(tmp_path: Path, card: Card) -> None:
    with serving() as authority:
        desk = desk_with(tmp_path, card, tsa_urls=[authority.url])
        outcome = sealing.perform(noted(desk), desk.context())
    assert (outcome.facts["level"], outcome.facts["kind"]) == ("B-T", "organisation")


def test_the_session_is_opened_once_for_many_documents(desk: Desk, card: Card) -> None:
    sealing.perform(noted(desk), desk.context())
    card.pin_file.unlink()
    assert sealing.perform(noted(desk), desk.context()).facts["level"] == "B-B"


def test_a_wrong_pin_is_offered_once_and_said_nowhere(desk: Desk, card: Card) -> None:
    assignment = noted(desk)
    wrong = "falsch-0815"
    card.pin_file.write_text(wrong, "utf-8")
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(assignment, desk.context())
    told = "".join(traceback.format_exception(caught.value)) + caught.value.operator_text
    assert wrong not in told
    assert PIN not in told
    assert "PIN" in told
    # The token would take it now; that it is refused shows that nobody asked the token.
    with card.open() as session:
        session.set_pin(PIN, wrong)
    with pytest.raises(Misconfigured, match="not tried again"):
        sealing.perform(assignment, desk.context())
    with card.open(wrong) as session:
        session.set_pin(wrong, "neu-1234")
    card.pin_file.write_text("neu-1234\n", "utf-8")
    assert sealing.perform(assignment, desk.context()).facts["kind"] == "organisation"


def test_the_next_process_does_not_offer_a_refused_pin_either(desk: Desk, card: Card) -> None:
    from workers.sealing.custody import Token

    assert desk.settings.sealing.token is not None
    wrong = "falsch-0815"
    card.pin_file.write_text(wrong, "utf-8")
    with pytest.raises(Misconfigured):
        Token(desk.settings.sealing.token, desk.settings.keys).key()
    with card.open() as session:
        session.set_pin(PIN, wrong)
    with pytest.raises(Misconfigured, match="not tried again"):
        Token(desk.settings.sealing.token, desk.settings.keys).key()
    card.pin_file.write_text(wrong + "\n", "utf-8")
    assert Token(desk.settings.sealing.token, desk.settings.keys).key().kind == "organisation"
    assert not (desk.settings.keys / "refused-pin").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_pin_that_others_can_read_is_not_used(desk: Desk, card: Card, mode: int) -> None:
    card.pin_file.chmod(mode)
    with pytest.raises(UnsafeFolders, match="not private"):
        sealing.perform(noted(desk), desk.context())


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_without_a_pin_the_operator_is_told_which_file(
    desk: Desk, card: Card, content: str | None
) -> None:
    card.pin_file.unlink() if content is None else card.pin_file.write_text(content, "utf-8")
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(noted(desk), desk.context())
    assert "sealing.token.pin_file" in caught.value.operator_text


def test_a_token_that_is_away_defers_and_its_return_is_noticed(desk: Desk, card: Card) -> None:
    aside = card.folder / "aside"
    shutil.move(card.objects, aside)
    card.objects.mkdir()
    assignment = noted(desk)
    with pytest.raises(AuthorityUnavailable) as caught:
        sealing.perform(assignment, desk.context())
    assert caught.value.consumes_try is False
    assert "Siegel-Token" in caught.value.operator_text
    card.objects.rmdir()
    shutil.move(aside, card.objects)
    assert sealing.perform(assignment, desk.context()).facts["level"] == "B-B"


def test_a_token_without_a_free_session_defers_and_its_pin_is_not_suspected(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.sealing.custody import Token

    assert desk.settings.sealing.token is not None
    token = Token(desk.settings.sealing.token, desk.settings.keys)
    with monkeypatch.context() as patch:
        full = types.SimpleNamespace(flags=pkcs11.TokenFlag(0), open=_full)
        library = types.SimpleNamespace(reinitialize=lambda: None, get_token=lambda **_: full)
        patch.setattr(token, "_load", lambda: library)
        with pytest.raises(AuthorityUnavailable) as caught:
            token.key()
    assert "SessionCount" in caught.value.operator_text
    assert not (desk.settings.keys / "refused-pin").exists()
    assert token.key().kind == "organisation"


def _full(**_: Any) -> None:
    raise pkcs11.SessionCount


@pytest.fixture
def opened(desk: Desk) -> TokenKey:
    from workers.sealing.custody import token_key

    assert desk.settings.sealing.token is not None
    return token_key(desk.settings.sealing.token, desk.settings.keys)


class Failing:
    """A key whose token does not answer."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def sign(self, *_: Any, **__: Any) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        pkcs11.DeviceRemoved(),
        pkcs11.SessionHandleInvalid(),
        pkcs11.SessionCount(),
        pkcs11.SessionClosed(),
        pkcs11.DeviceError(),
        pkcs11.GeneralError(),
        pkcs11.UserNotLoggedIn(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_token_lost_while_in_use_defers_and_is_opened_anew(
    desk: Desk, opened: TokenKey, error: Exception
) -> None:
    lost = dataclasses.replace(opened, _private=Failing(error))
    with pytest.raises(AuthorityUnavailable):
        lost.sign(b"")
    assert sealing.perform(noted(desk), desk.context()).facts["level"] == "B-B"


def test_a_key_that_cannot_sign_is_the_operators(opened: TokenKey) -> None:
    broken = dataclasses.replace(opened, _private=Failing(pkcs11.MechanismInvalid()))
    with pytest.raises(Misconfigured):
        broken.sign(b"")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"key_label": "anderer"}, "NoSuchKey"),
        ({"certificate_label": "anderes"}, "0 Zertifikate"),
        ({"issuers": "/gibt/es/nicht.pem"}, "sealing.token.issuers"),
    ],
)
def test_a_wrong_label_names_what_is_missing(
    tmp_path: Path, card: Card, changed: dict[str, str], said: str
) -> None:
    desk = Desk(tmp_path, sealing={"token": {**card.settings, **changed}})
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(noted(desk), desk.context())
    assert said in caught.value.operator_text


def test_a_library_that_is_missing_is_named(tmp_path: Path, card: Card) -> None:
    desk = Desk(tmp_path, sealing={"token": {**card.settings, "module": "/gibt/es/nicht.so"}})
    with pytest.raises(ToolMissing, match=r"/gibt/es/nicht\.so"):
        sealing.perform(noted(desk), desk.context())


def test_issuers_must_lead_to_a_root(tmp_path: Path, card: Card) -> None:
    other = make_card(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    token = {**card.settings, "issuers": other.settings["issuers"]}
    desk = Desk(tmp_path, sealing={"token": token})
    with pytest.raises(Misconfigured, match="no way") as caught:
        sealing.perform(noted(desk), desk.context())
    assert "bis zur Wurzel" in caught.value.operator_text


def test_key_and_certificate_must_belong_together(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card", ec.generate_private_key(ec.SECP256R1()), foreign=True)
    desk = desk_with(tmp_path, card)
    with pytest.raises(Misconfigured, match="gehören nicht zusammen"):
        sealing.perform(noted(desk), desk.context())


def test_weak_or_unknown_keys_make_no_seal(tmp_path: Path) -> None:
    keys: list[Key] = [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
    ]
    for number, key in enumerate(keys):
        desk = desk_with(tmp_path, make_card(tmp_path / f"card{number}", key))
        with pytest.raises(Misconfigured, match="weder P-256 noch RSA"):
            sealing.perform(noted(desk), desk.context())


def test_an_expired_certificate_seals_nothing(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    card = make_card(tmp_path / "card", key, lasts=dt.timedelta(days=1))
    desk = desk_with(tmp_path, card)
    with pytest.raises(Misconfigured, match="not valid now"):
        sealing.perform(noted(desk), desk.context())


def test_a_profile_that_wants_a_seal_needs_a_token(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(Misconfigured) as caught:
        sealing.perform(noted(desk), desk.context())
    assert "[sealing.token]" in caught.value.operator_text


def test_the_delivery_says_siegel(desk: Desk) -> None:
    from workers.delivery.sidecar import _seal

    assignment = noted(desk)
    outcome = sealing.perform(assignment, desk.context())
    sealed = after(assignment, Step.SEALING, outcome, Step.ROUTING)
    assert sealed.document is not None
    assert _seal(sealed.document)["kind"] == "Siegel"


def test_metadata_stays_byte_for_byte(desk: Desk) -> None:
    assignment = noted(desk)
    (made,) = sealing.perform(assignment, desk.context()).renditions
    assert assignment.document is not None
    before = desk.context().read(assignment.document.renditions[RenditionKind.NOTED].sha256)
    after_seal = desk.context().read(made.sha256)
    assert after_seal.startswith(before)
    with pikepdf.open(io.BytesIO(before)) as old, pikepdf.open(io.BytesIO(after_seal)) as new:
        assert new.Root.Metadata.read_raw_bytes() == old.Root.Metadata.read_raw_bytes()
