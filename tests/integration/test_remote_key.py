"""The organisation's key at a remote service: what is asked, and who is told what went wrong."""

from __future__ import annotations

import base64
import hashlib
import stat
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ingest.errors import AuthorityUnavailable, Misconfigured, ScanstrasseError, UnsafeFolders
from ingest.sealing_settings import SealingSettings
from tests.plugins.escl_certificates import self_made
from tests.plugins.signing_service import (
    ACCESS,
    AWAY,
    CREDENTIAL,
    METHODS,
    PIN,
    PLAIN_RSA,
    RSA,
    SLOW,
    SigningService,
    configured,
    serving,
    write_secret,
)
from tests.plugins.tokens import Key, certificate
from workers.sealing.organisation import organisation_key
from workers.sealing.port import SigningKey, fits
from workers.sealing.remote import _remote

CONTENT = b"signed attributes"


def issue(key: Key, folder: Path) -> tuple[x509.Certificate, Path]:
    """Return a certificate for `key` and the file with the root above it."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("Wurzel", root_key.public_key(), None, root_key)
    path = folder / "issuers.pem"
    path.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    return certificate("Siegel", key.public_key(), root.subject, root_key), path


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SigningService, Path]]:
    key = ec.generate_private_key(ec.SECP256R1())
    own, issuers = issue(key, tmp_path_factory.mktemp("issuers"))
    with serving(key, own) as service:
        yield service, issuers


@pytest.fixture
def service(issued: tuple[SigningService, Path]) -> SigningService:
    issued[0].reset()
    _remote.cache_clear()
    return issued[0]


class House:
    """Settings with their secrets in files, and the process that seals with them."""

    def __init__(self, folder: Path, service: SigningService, issuers: Path, **more: Any) -> None:
        self.secrets = folder / "secrets"
        self.marks = folder / "keys"
        folder.mkdir(exist_ok=True)
        self.issuers = folder / "above.pem"
        self.issuers.write_bytes(issuers.read_bytes())
        given = configured(service, self.secrets, self.issuers, **more)
        self.settings = SealingSettings.model_validate({"csc": given})

    def key(self) -> SigningKey:
        return organisation_key(self.settings, self.marks)

    def write(self, name: str, secret: str) -> None:
        write_secret(self.secrets / name, secret)


@pytest.fixture
def house(tmp_path: Path, service: SigningService, issued: tuple[SigningService, Path]) -> House:
    return House(tmp_path, service, issued[1])


def refused(house: House, kind: type[ScanstrasseError]) -> ScanstrasseError:
    """Return the error of sealing once; see that no secret stands in it and no try is lost."""
    with pytest.raises(kind) as caught:
        house.key().sign(CONTENT)
    told = "".join(traceback.format_exception(caught.value)) + caught.value.operator_text
    for path in house.secrets.iterdir():
        assert path.read_text("utf-8").strip() not in told
    assert getattr(caught.value, "consumes_try", None) is False
    assert caught.value.operator_text != str(caught.value)
    return caught.value


def test_a_digest_goes_out_and_a_proven_signature_comes_back(
    house: House, service: SigningService
) -> None:
    key = house.key()
    assert fits(key.certificate, key.sign(CONTENT), CONTENT)
    assert (key.kind, key.certificate, len(key.issuers)) == ("organisation", service.named, 1)
    assert service.methods() == list(METHODS)
    (_, asked), (_, allowed), (_, signed) = service.asked
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert set(asked) == {"credentialID", "certificates", "certInfo", "authInfo"}
    assert allowed == {"credentialID": CREDENTIAL, "numSignatures": 1, "hash": [digest], "PIN": PIN}
    assert signed["hash"] == [digest]
    assert set(signed) == {"credentialID", "SAD", "hash", "hashAlgo", "signAlgo"}


def test_the_key_is_asked_for_once_and_each_signature_is_authorised_by_itself(
    house: House, service: SigningService
) -> None:
    for content in (b"one", b"two"):
        assert fits(service.named, house.key().sign(content), content)
    assert service.methods() == [METHODS[0], *METHODS[1:], *METHODS[1:]]


def test_numbers_side_by_side_are_a_signature_as_well(
    house: House, service: SigningService
) -> None:
    service.fault = "signatures/signHash plain_numbers"
    assert fits(service.named, house.key().sign(CONTENT), CONTENT)


def test_keys_of_rsa_sign_by_the_best_name_they_have(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 3072)
    own, issuers = issue(key, tmp_path)
    with serving(key, own) as service:
        for algorithms in ([PLAIN_RSA], [PLAIN_RSA, RSA]):
            service.said = {"key.algo": algorithms}
            _remote.cache_clear()
            assert fits(own, House(tmp_path, service, issuers).key().sign(CONTENT), CONTENT)
            assert service.asked[-1][1]["signAlgo"] == algorithms[-1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", AWAY)
def test_a_service_that_is_away_or_talks_nonsense_defers(
    house: House, service: SigningService, method: str, how: str
) -> None:
    service.fault = f"{method} {how}"
    assert "127.0.0.1" in refused(house, AuthorityUnavailable).operator_text
    assert service.methods()[-1] == method
    service.fault = None
    assert fits(service.named, house.key().sign(CONTENT), CONTENT)


def test_patience_has_an_end(
    tmp_path: Path, service: SigningService, issued: tuple[SigningService, Path]
) -> None:
    house = House(tmp_path, service, issued[1], timeout_seconds=0.2)
    service.fault = f"{METHODS[1]} {SLOW}"
    assert "keine brauchbare Antwort" in refused(house, AuthorityUnavailable).operator_text


def test_nobody_there_defers(house: House, issued: tuple[SigningService, Path]) -> None:
    with serving(issued[0].key, issued[0].certificate) as gone:
        url = gone.url
    away = House(house.secrets.parent, issued[0], issued[1], url=url)
    refused(away, AuthorityUnavailable)


def test_nobody_is_told_a_secret_who_is_not_who_the_address_says(
    tmp_path: Path, issued: tuple[SigningService, Path]
) -> None:
    context, _, _ = self_made(tmp_path, "127.0.0.1")
    with serving(issued[0].key, issued[0].certificate, context) as stranger:
        told = refused(House(tmp_path, stranger, issued[1]), AuthorityUnavailable)
    assert "CERTIFICATE_VERIFY_FAILED" in told.operator_text
    assert stranger.asked == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", ["forbidden", "refused", "repeating", "spelling", "terse"])
def test_what_the_service_refuses_is_the_operators_and_repeats_no_secret(
    house: House, service: SigningService, method: str, how: str
) -> None:
    service.fault = f"{method} {how}"
    told = refused(house, Misconfigured).operator_text
    assert method in told
    assert ("Invalid parameter credentialID" in told) == (how == "refused")
    assert ("403" in told) == (how == "forbidden")


@pytest.mark.parametrize("method", METHODS)
def test_an_access_token_that_expired_is_sent_once_until_its_file_is_new(
    house: House, service: SigningService, method: str
) -> None:
    service.fault = f"{method} expired"
    assert "access_token_file" in refused(house, AuthorityUnavailable).operator_text
    service.fault = None
    heard = len(service.asked)
    for forgotten in (False, True):  # this process, and one that starts
        if forgotten:
            _remote.cache_clear()
        with pytest.raises(AuthorityUnavailable, match="not tried again"):
            house.key().sign(CONTENT)
    assert len(service.asked) == heard
    service.access = "zugang-zwei"
    house.write("access_token_file", "zugang-zwei")
    assert fits(service.named, house.key().sign(CONTENT), CONTENT)
    assert not (house.marks / "refused-csc-access-token").exists()


def test_a_wrong_pin_is_offered_once_and_never_locks(house: House, service: SigningService) -> None:
    house.write("pin_file", "falsch-0815")
    assert "pin_file" in refused(house, Misconfigured).operator_text
    for forgotten in (False, True):
        if forgotten:
            _remote.cache_clear()
        with pytest.raises(Misconfigured, match="not tried again"):
            house.key().sign(CONTENT)
    assert service.wrong_pins == 1
    (mark,) = house.marks.iterdir()
    assert "falsch" not in mark.read_text("utf-8")
    assert stat.S_IMODE(house.marks.stat().st_mode) == 0o700
    house.write("pin_file", PIN)
    assert fits(service.named, house.key().sign(CONTENT), CONTENT)
    assert list(house.marks.iterdir()) == []


def test_a_pin_is_not_sent_again_with_each_new_access_token(
    house: House, service: SigningService
) -> None:
    service.fault = "credentials/authorize unauthorised_pin"
    for number in range(3):
        with pytest.raises(Misconfigured, match="PIN"):
            house.key().sign(CONTENT)
        service.access = f"zugang-{number}"
        house.write("access_token_file", service.access)
    assert len([1 for method, asked in service.asked if "PIN" in asked]) == 1
    service.fault = "credentials/authorize mapping"
    house.write("pin_file", PIN)
    refused(house, AuthorityUnavailable)  # the access token's, whatever letters its name has


@pytest.mark.parametrize("how", ["forbidden", "terse", "muddled"])  # may be about the PIN
def test_a_pin_that_was_right_after_all_counts_again_when_its_file_is_new(
    house: House, service: SigningService, how: str
) -> None:
    service.fault = f"{METHODS[1]} {how}"
    assert "PIN" in refused(house, Misconfigured).operator_text
    service.fault = None
    refused(house, Misconfigured)
    house.write("pin_file", PIN)
    assert fits(service.named, house.key().sign(CONTENT), CONTENT)


def test_a_one_time_password_counts_once_and_the_document_waits_for_another(
    tmp_path: Path, service: SigningService, issued: tuple[SigningService, Path]
) -> None:
    house = House(tmp_path, service, issued[1], otp_file=str(tmp_path / "secrets" / "otp_file"))
    service.otps = {"111111", "222222"}
    house.write("otp_file", "111111")
    assert fits(service.named, house.key().sign(CONTENT), CONTENT)
    assert service.otps == {"222222"}
    heard = len(service.asked)
    assert "Einmalkennwort" in refused(house, AuthorityUnavailable).operator_text
    assert METHODS[1] not in service.methods()[heard:]
    house.write("otp_file", "222222")
    assert fits(service.named, house.key().sign(CONTENT), CONTENT)


def test_where_the_service_authorises_by_itself_no_pin_is_sent(
    house: House, service: SigningService
) -> None:
    service.mode = "implicit"
    house.key().sign(CONTENT)
    assert "PIN" not in service.asked[1][1]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"key.status": "disabled"}, "nicht freigegeben (disabled)"),
        ({"key.status": ACCESS}, "nicht freigegeben (unknown)"),
        ({"cert.status": "revoked"}, "das Zertifikat gilt nicht (revoked)"),
        ({"key.algo": ["1.2.840.10045.4.3.3"]}, "kein ECDSA oder RSA"),
        ({"authMode": "oauth2code"}, "von einer Person zu erlauben"),
        ({"OTP": {"presence": "true"}}, "sealing.csc.otp_file"),
        ({"OTP": {"presence": True, "type": "online"}}, "einer Person zu"),
    ],
)
def test_a_key_that_must_not_be_used_is_the_operators(
    house: House, service: SigningService, said: dict[str, Any], told: str
) -> None:
    service.said = said
    assert told in refused(house, Misconfigured).operator_text
    assert service.methods() == [METHODS[0]]


@pytest.mark.parametrize(
    "said",
    [
        {"key": []},
        {"key": {"status": "enabled", "algo": None}},
        {"cert.certificates": []},
        {"cert.certificates": ["****"]},
        {"cert.certificates": ["AAAA"]},
        {"PIN": "ja"},
    ],
)
def test_a_description_that_is_none_defers(
    house: House, service: SigningService, said: dict[str, Any]
) -> None:
    service.said = said
    refused(house, AuthorityUnavailable)


def test_a_key_that_was_disabled_since_is_noticed(house: House, service: SigningService) -> None:
    house.key().sign(CONTENT)
    service.said = {"key.status": "disabled"}
    service.fault = f"{METHODS[2]} refused"
    refused(house, Misconfigured)
    assert "nicht freigegeben" in refused(house, Misconfigured).operator_text


@pytest.mark.parametrize(
    "how", ["broken_signature", "foreign_signature", "two_signatures", "no_base64", "no_text"]
)
def test_what_is_no_signature_of_this_key_is_not_used(
    house: House, service: SigningService, how: str
) -> None:
    service.fault = f"{METHODS[2]} {how}"
    refused(house, AuthorityUnavailable)
    assert service.methods() == list(METHODS)


def test_a_certificate_that_changed_since_seals_nothing_until_it_is_asked_for(
    tmp_path: Path, house: House, service: SigningService
) -> None:
    house.key()
    other = ec.generate_private_key(ec.SECP256R1())
    service.signs_with = other
    assert "passt nicht zum Zertifikat" in refused(house, AuthorityUnavailable).operator_text
    # Its issuer is another one too: what the service names is not believed.
    service.named, issuers = issue(other, tmp_path)
    assert "sealing.csc.issuers" in refused(house, Misconfigured).operator_text
    house.issuers.write_bytes(issuers.read_bytes())
    assert fits(service.named, house.key().sign(CONTENT), CONTENT)


def test_unknown_keys_make_no_seal(house: House, service: SigningService) -> None:
    der = service.certificate.public_bytes(serialization.Encoding.DER)
    elliptic, unknown = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")
    strange = base64.b64encode(der.replace(elliptic, unknown)).decode()
    service.said = {"cert.certificates": [strange]}
    assert "weder P-256 noch RSA" in refused(house, Misconfigured).operator_text


def test_weak_keys_make_no_seal(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    own, issuers = issue(key, tmp_path)
    with serving(key, own) as service:
        told = refused(House(tmp_path, service, issuers), Misconfigured).operator_text
    assert "weder P-256 noch RSA" in told


@pytest.mark.parametrize("name", ["access_token_file", "pin_file"])
def test_secrets_that_others_can_read_are_not_used(
    house: House, service: SigningService, name: str
) -> None:
    (house.secrets / name).chmod(0o640)
    with pytest.raises(UnsafeFolders, match="not private"):
        house.key()
    assert METHODS[1] not in service.methods()


@pytest.mark.parametrize("name", ["access_token_file", "pin_file"])
@pytest.mark.parametrize("content", [None, "", "zwei Wörter\r\nX-Weitere: Kopfzeile"])
def test_secrets_that_are_none_are_named_by_their_setting(
    house: House, service: SigningService, name: str, content: str | None
) -> None:
    if content is None:
        (house.secrets / name).unlink()
    else:
        house.write(name, content)
    assert name in refused_quietly(house)
    assert service.wrong_pins <= 1


def refused_quietly(house: House) -> str:
    with pytest.raises(Misconfigured) as caught:
        house.key().sign(CONTENT)
    return caught.value.operator_text
