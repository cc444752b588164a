"""The second path believes no token that the first could have let through."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from asn1crypto import algos, cms, tsp

from tests.plugins.authority import Authority, serving
from workers.sealing.stampproof import TokenBroken, verify_token

DIGEST = hashlib.sha256(b"brief").digest()


@pytest.fixture
def authority() -> Iterator[Authority]:
    with serving() as running:
        yield running


def token(authority: Authority, fault: str | None) -> cms.ContentInfo:
    authority.fault = fault
    imprint = {"hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"})}
    request = tsp.TimeStampReq(
        {
            "version": 1,
            "message_imprint": {**imprint, "hashed_message": DIGEST},
            "nonce": 7,
            "cert_req": True,
        }
    )
    _, answer = authority.answer(request.dump())
    return tsp.TimeStampResp.load(answer)["time_stamp_token"]


def test_a_sound_token_holds(authority: Authority) -> None:
    stamp = verify_token(token(authority, None), DIGEST)
    assert "Zeitstempel" in stamp.certificate.subject.rfc4514_string()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("wrong_imprint", "imprint differs"),
        ("broken_signature", "signature does not fit"),
        ("wrong_purpose", "not meant for timestamps"),
        ("expired", "not valid at the time"),
    ],
)
def test_each_fault_of_a_token_is_named(authority: Authority, fault: str, said: str) -> None:
    with pytest.raises(TokenBroken, match=said):
        verify_token(token(authority, fault), DIGEST)


def test_every_byte_of_what_the_token_states_is_looked_at(authority: Authority) -> None:
    sound = token(authority, None)
    content = sound.dump()
    stated = sound["content"]["encap_content_info"]["content"].contents
    start = content.index(stated)
    for place in range(start, start + len(stated)):
        altered = bytearray(content)
        altered[place] ^= 0x01
        with pytest.raises((TokenBroken, ValueError, KeyError, TypeError)):
            verify_token(cms.ContentInfo.load(bytes(altered)), DIGEST)
