"""Evidence records hold: for us, for BouncyCastle and, their tokens, for OpenSSL."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from asn1crypto import pem, x509

from ingest import clock
from tests.plugins.authority import Authority, serving
from tests.plugins.evidence import Judge, records, rehashed, renewed, sha256, token
from tests.plugins.scanning import program
from workers.evidence import record, tokens
from workers.evidence.record import ArchiveTimeStamp
from workers.evidence.verification import NotProved, prove
from workers.sealing.tokens import doubt

Chain = tuple[ArchiveTimeStamp, ...]
Document = tuple[bytes, ...]


def roots(authority: Authority) -> list[x509.Certificate]:
    return [x509.Certificate.load(pem.unarmor(authority.root)[2])]


def documents(count: int) -> list[Document]:
    """Return documents of one file and, every second one, of three."""
    return [
        tuple(b"%d/%d" % (number, part) for part in range(1 if number % 2 else 3))
        for number in range(count)
    ]


def digests(document: Document) -> list[bytes]:
    return [sha256(part) for part in document]


@pytest.fixture(scope="module")
def sealed(authority: Authority) -> list[tuple[Document, Chain]]:
    """Documents of three batches whose timestamps were renewed together, and again."""
    whole: list[tuple[Document, Chain]] = []
    firsts, kept = [], []
    for size in (1, 2, 7):
        own = documents(size)
        _, chains = records(authority, [digests(document) for document in own])
        firsts.append(chains[0])
        kept.append((own, chains))
    twice = renewed(authority, renewed(authority, firsts))
    for (own, chains), first in zip(kept, twice, strict=True):
        whole += [(doc, (chain[0], *first[1:])) for doc, chain in zip(own, chains, strict=True)]
    return whole


def test_every_document_is_proved_by_its_record_and_by_no_other(
    sealed: list[tuple[Document, Chain]],
) -> None:
    for document, chain in sealed:
        encoded = record.write(chain)
        links = prove(encoded, digests(document))
        assert [link.confirmed_at for link in links] == [
            *(link.said.stamped_at for link in links[1:]),
            None,
        ]
        for other, _ in sealed:
            if set(other) <= set(document):
                continue
            with pytest.raises(NotProved):
                prove(encoded, digests(other))
    assert {len(chain) for _, chain in sealed} == {3}


def test_a_part_of_a_document_is_enough_and_a_foreign_one_too_many(authority: Authority) -> None:
    own = documents(5)
    _, chains = records(authority, [digests(document) for document in own])
    encoded = record.write(chains[0])
    for part in digests(own[0]):
        prove(encoded, [part])
    with pytest.raises(NotProved, match="does not name"):
        prove(encoded, [*digests(own[0]), sha256(b"foreign")])
    with pytest.raises(NotProved, match="nothing"):
        prove(encoded, [])


def test_any_flipped_byte_before_the_last_token_is_refused(
    sealed: list[tuple[Document, Chain]],
) -> None:
    document, chain = sealed[-1]
    encoded = record.write(chain)
    last = len(encoded) - len(chain[-1].token)
    accepted = []
    for at in [*range(200), *range(200, last, 7)]:
        altered = bytearray(encoded)
        altered[at] ^= 0x10
        try:
            prove(bytes(altered), digests(document))
        except NotProved:
            continue
        accepted.append(at)
    assert accepted == []


def test_a_flipped_byte_in_what_the_last_token_says_or_signs_is_refused(
    authority: Authority,
) -> None:
    imprint = sha256(b"root")
    encoded = token(authority, imprint)
    said = tokens.read(encoded)
    assert doubt(encoded, imprint, roots(authority), clock.now()) is None
    places = [encoded.index(imprint), len(encoded) - 5]
    for at in places:
        altered = bytearray(encoded)
        altered[at] ^= 1
        assert doubt(bytes(altered), imprint, roots(authority), clock.now()) is not None
    assert doubt(encoded, sha256(b"other"), roots(authority), clock.now()) is not None
    assert said.imprint == imprint


def test_a_token_is_doubted_after_its_certificate_and_without_its_root(
    authority: Authority,
) -> None:
    imprint = sha256(b"root")
    encoded = token(authority, imprint)
    ends_at = tokens.read(encoded).ends_at
    before, after = ends_at - dt.timedelta(hours=1), ends_at + dt.timedelta(hours=1)
    assert doubt(encoded, imprint, roots(authority), before) is None
    assert "not valid on" in str(doubt(encoded, imprint, roots(authority), after))
    with serving() as other:
        assert doubt(encoded, imprint, roots(other), clock.now()) is not None
    assert doubt(encoded, imprint, [], clock.now()) is None
    assert doubt(b"nonsense", imprint, [], clock.now()) is not None


def test_a_renewal_over_something_else_is_refused(authority: Authority) -> None:
    own = documents(3)
    _, chains = records(authority, [digests(document) for document in own])
    first = chains[1][0]
    wrong = ArchiveTimeStamp((), token(authority, sha256(b"another timestamp")))
    with pytest.raises(NotProved, match="timestamp 2"):
        prove(record.write((first, wrong)), digests(own[1]))


def test_what_a_token_stands_on_is_named(authority: Authority) -> None:
    said = tokens.read(token(authority, sha256(b"root")))
    assert said.algorithms == {"sha256", "ecdsa-256"}
    assert "Zeitstempel" in said.authority
    with pytest.raises(tokens.NotAToken):
        tokens.read(b"\x30\x03\x02\x01\x01")


def _case(
    folder: Path, name: str, encoded: bytes, document: Sequence[bytes]
) -> tuple[Path, list[Path]]:
    file = folder / f"{name}.er"
    file.write_bytes(encoded)
    parts = []
    for number, part in enumerate(document):
        parts.append(folder / f"{name}-{number}")
        parts[-1].write_bytes(part)
    return file, parts


def test_bouncycastle_accepts_what_is_right_and_nothing_else(
    authority: Authority, sealed: list[tuple[Document, Chain]], tmp_path: Path
) -> None:
    judge = Judge(tmp_path, authority)
    many = [(b"document %d" % number,) for number in range(1_001)]
    _, plain = records(authority, [digests(document) for document in many])
    right = [(many[number], plain[number]) for number in (0, 1, 500, 999, 1_000)] + sealed
    cases = [
        _case(tmp_path, f"right-{number}", record.write(chain), document)
        for number, (document, chain) in enumerate(right)
    ]
    assert judge.opinions(cases) == ["ok"] * len(cases)
    document, chain = sealed[-1]
    encoded = record.write(chain)
    of_first, of_middle = len(encoded) // 4, bytearray(encoded)
    of_middle[of_first] ^= 0x20
    elsewhere = ArchiveTimeStamp((), token(authority, sha256(b"another timestamp")))
    wrong = [
        ("neighbour", record.write(plain[0]), many[1]),
        ("foreign", encoded, (b"foreign",)),
        ("part of it foreign", encoded, (*document, b"foreign")),
        ("flipped", bytes(of_middle), document),
        ("truncated", encoded[:-1], document),
        ("renewed elsewhere", record.write((chain[0], elsewhere)), document),
    ]
    cases = [_case(tmp_path, name, content, parts) for name, content, parts in wrong]
    said = judge.opinions(cases)
    assert [one.split()[0] for one in said] == ["refused"] * len(wrong), said


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_a_renewed_digest_is_proved_by_us_and_by_bouncycastle(
    authority: Authority, sealed: list[tuple[Document, Chain]], tmp_path: Path, algorithm: str
) -> None:
    judge = Judge(tmp_path, authority)
    own = [document for document, _ in sealed]
    before = [(chain,) for _, chain in sealed]
    later = renewed(authority, rehashed(authority, own, before, algorithm))
    used = ("sha256", algorithm)
    encoded = [
        record.write_sequence((*first, second), used)
        for first, second in zip(before, later, strict=True)
    ]
    cases = []
    for number, (document, content) in enumerate(zip(own, encoded, strict=True)):
        links = prove(content, digests(document), again(document))
        assert [link.said.algorithm for link in links] == ["sha256"] * 3 + [algorithm] * 2
        cases.append(_case(tmp_path, f"right-{number}", content, document))
    assert judge.opinions(cases) == ["ok"] * len(cases)
    elsewhere = rehashed(authority, own[:2], [before[1], before[0]], algorithm)
    wrong: list[tuple[str, bytes, Document]] = [
        ("foreign", encoded[0], (b"foreign",)),
        ("over another sequence", record.write_sequence((*before[0], elsewhere[0]), used), own[0]),
    ]
    for _, content, document in wrong:
        with pytest.raises(NotProved):
            prove(content, digests(document), again(document))
    cases = [_case(tmp_path, name, content, document) for name, content, document in wrong]
    said = judge.opinions(cases)
    assert [one.split()[0] for one in said] == ["refused"] * len(wrong), said
    with pytest.raises(NotProved, match="read again"):
        prove(encoded[0], digests(own[0]))


def again(document: Document) -> Callable[[str], list[bytes]]:
    return lambda algorithm: [hashlib.new(algorithm, part).digest() for part in document]


def test_openssl_verifies_each_token_of_a_record(
    authority: Authority, sealed: list[tuple[Document, Chain]], tmp_path: Path
) -> None:
    openssl = program("openssl")
    (root := tmp_path / "root.pem").write_bytes(authority.root)
    document, chain = sealed[-1]
    for link in prove(record.write(chain), digests(document)):
        (file := tmp_path / "token.der").write_bytes(link.encoded)
        command = [openssl, "ts", "-verify", "-token_in", "-in", str(file), "-CAfile", str(root)]
        for imprint, fits in ((link.said.imprint, True), (sha256(b"other"), False)):
            done = subprocess.run(
                [*command, "-digest", imprint.hex()], check=False, capture_output=True, text=True
            )
            assert (done.returncode == 0) is fits, done.stdout + done.stderr
