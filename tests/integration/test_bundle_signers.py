"""A bundle is signed by whoever sealed its document, or somebody else is told apart from them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from ingest.ledger import paper, schema
from ingest.ledger.circumstances import Sealed
from ingest.ledger.sealers import CERTIFICATE, sealers_of
from tests.plugins import papers
from tests.plugins.authority import serving
from tests.plugins.bundles import examined, forged, listed, only, rewritten
from tests.plugins.bureau import ORGANISATION, Bureau
from tests.plugins.tokens import certificate, make_card
from workers.disposal import Disposal
from workers.evidence.bundle import write
from workers.evidence.offline.containers import Unreadable, read_container
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.history import read_log, sealed_with
from workers.evidence.offline.notes import read_note
from workers.evidence.offline.signers import Signers
from workers.sealing.port import fingerprint
from workers.verification import verify_pdf

STRANGER = "Mallory Handels-GbR"
FOREIGN = "nicht von der Stelle, die das Dokument gesiegelt hat"


def pem(*several: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in several)


def der(one: x509.Certificate) -> bytes:
    return one.public_bytes(serialization.Encoding.DER)


@dataclasses.dataclass(frozen=True)
class Signer:
    """Somebody with a certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def digest(self) -> str:
        return fingerprint(self.certificate)

    def sign(self, bundle: Path, *beside: x509.Certificate) -> None:
        """Make the list of files anew and sign it, as if it had always been so."""
        listed(bundle)
        claims = bundle / "beweis.json"
        claims.write_bytes(rewritten(claims.read_bytes(), "sealed_by", "organisation"))
        listed_as(bundle)
        (bundle / "manifest.p7s").write_bytes(self.over(bundle / "manifest.sha256", *beside))

    def over(self, path: Path, *beside: x509.Certificate) -> bytes:
        builder = pkcs7.PKCS7SignatureBuilder().set_data(path.read_bytes())
        builder = builder.add_signer(self.certificate, self.key, hashes.SHA256())
        for one in beside:
            builder = builder.add_certificate(one)
        options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
        return builder.sign(serialization.Encoding.DER, options)


def listed_as(bundle: Path) -> None:
    """Make the list anew without touching what the bundle says of its signature."""
    with mock.patch("tests.plugins.bundles.rewritten", lambda content, *_: content):
        listed(bundle)


class Scene:
    """A letter sealed by the organisation, a stranger of the same authority, the bundle."""

    def __init__(self, folder: Path) -> None:
        root_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root_key = root_key
        self.root = certificate("Große CA", root_key.public_key(), None, root_key)
        own = certificate("Siegel", own_key.public_key(), self.root.subject, root_key)
        self.house = Signer(own_key, own)
        card = make_card(folder / "card", own_key, issued=(own, (self.root,)))
        with serving() as authority:
            self.bureau = Bureau(folder, authority, token=card.settings)
            self.batch = self.bureau.take(
                {"a.png": papers.png("Ein Brief")}, storage_place="Karton 7"
            )
            (self.document,) = self.bureau.documents(self.batch)
            with self.bureau.ledger.writing() as connection:
                paper.store(connection, self.document, by="op17", place="Karton 8")
            self.bureau.anchor(dt.date(2026, 11, 25))
            self.bureau.secure()
            self.trust = folder / "trust.pem"
            self.trust.write_bytes(pem(self.root) + authority.root)
        bureau = self.bureau
        (self.written,) = write(
            self.document,
            folder / "out",
            settings=bureau.settings,
            ledger=bureau.ledger,
            store=bureau.store,
        )
        self.bundle = only(folder / "out")

    def stranger(self, name: str = STRANGER, serial: int | None = None) -> Signer:
        """Return somebody else to whom the same authority issued a certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = certificate("Siegel", key.public_key(), self.root.subject, self.root_key)
        attribute = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)
        builder = x509.CertificateBuilder(
            issuer_name=made.issuer,
            subject_name=x509.Name([attribute]),
            public_key=key.public_key(),
            serial_number=serial or made.serial_number,
            not_valid_before=made.not_valid_before_utc.replace(tzinfo=None),
            not_valid_after=made.not_valid_after_utc.replace(tzinfo=None),
            extensions=list(made.extensions),
        )
        return Signer(key, builder.sign(self.root_key, hashes.SHA256()))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("bureau"))
    yield made
    made.bureau.ledger.close()


@pytest.fixture
def copy(scene: Scene, tmp_path: Path) -> Path:
    """The bundle, as somebody else received it."""
    return shutil.copytree(scene.bundle, tmp_path / "anderswo")


def test_who_sealed_signs_and_everybody_who_signed_is_named(scene: Scene, copy: Path) -> None:
    assert scene.written.signer_sha256 == scene.house.digest
    assert scene.written.is_sealers
    said = examined(copy, "--trust", str(scene.trust))
    assert (said.code, said.broken, said.hints) == (0, [], [])
    assert f"Gesichert hat das Dokument: O={ORGANISATION}, CN=Siegel." in said.verdict
    house, authority = said.signers
    number = f"{scene.house.certificate.serial_number:x}"
    for part in ("Unterschrift des Pakets", "Sicherung der PDF", number, scene.house.digest):
        assert part in house
    for part in ("Zeitstempel der Nachweise", "Zeitstempel in der PDF", "CN=Zeitstempel"):
        assert part in authority


def test_a_stranger_of_the_same_authority_is_refused_by_name(scene: Scene, copy: Path) -> None:
    """All that no event bears out is altered and the list signed anew; its root is trusted."""
    stranger = scene.stranger()
    (copy / "pruefberichte/siegel.json").write_text('{"checks": [], "passed": true}')
    stranger.sign(copy)
    said = examined(copy, "--trust", str(scene.trust))
    assert said.code == 1
    (broken,) = said.broken
    assert broken == f"manifest.p7s: Unterschrift des Pakets von O={STRANGER}, {FOREIGN}"
    assert FOREIGN in said.verdict
    assert f"--signer angeben: SHA-256 {stranger.digest}" in said.verdict
    assert any(STRANGER in line and stranger.digest in line for line in said.signers)


def test_a_certificate_of_the_house_that_was_exchanged_is_named_by_who_verifies(
    scene: Scene, copy: Path, tmp_path: Path
) -> None:
    newer = scene.stranger(ORGANISATION)
    newer.sign(copy)
    trust = ("--trust", str(scene.trust))
    assert examined(copy, *trust).code == 1
    file = tmp_path / "neu.pem"
    file.write_bytes(pem(newer.certificate))
    spaced = ":".join(newer.digest[at : at + 2] for at in range(0, 64, 2)).upper()
    for named in (str(file), newer.digest, spaced):
        said = examined(copy, *trust, "--signer", named)
        assert (said.code, said.broken) == (0, []), named
        assert any("mit --signer nicht genannt" in line for line in said.hints), "the older one"
    both = ("--signer", str(file), "--signer", scene.house.digest)
    assert (examined(copy, *trust, *both).code, examined(copy, *trust, *both).hints) == (0, [])


def test_only_whom_the_reader_names_counts(scene: Scene, copy: Path) -> None:
    """A stranger who seals anew as well signs everything alike; the reader knows better."""
    other = scene.stranger("Gemeinde Anderswo").digest
    assert examined(copy, "--signer", scene.house.digest, openssl=False).code == 0
    said = examined(copy, "--signer", other, openssl=False)
    assert any("mit --signer nicht genannt" in line for line in said.broken)
    listed(copy)
    said = examined(copy, "--signer", other, openssl=False)
    assert [line.partition(":")[0] for line in said.broken] == ["scanprodukt.pdf"], "unsigned"
    for wrong in ("keine", "0" * 63, str(copy / "protokoll.jsonl")):
        assert examined(copy, "--signer", wrong).code == 2


def test_an_unsigned_list_leaves_unproven_what_no_event_bears_out(copy: Path) -> None:
    listed(copy)
    said = examined(copy, openssl=False)
    assert said.code == 0
    assert "belegt nichts: stapel/" in said.verdict
    assert "pruefberichte/siegel.json" in said.verdict
    assert "vernichtung.json" not in said.verdict, "its chain is in the log"


def test_two_certificates_in_one_signature_are_refused(scene: Scene, tmp_path: Path) -> None:
    """One is for the reader, the other for who verifies: both have issuer and number."""
    stranger, file = scene.stranger(), tmp_path / "inhalt"
    file.write_bytes(b"Inhalt")
    known = read_container(stranger.over(file))
    assert known.signer == der(stranger.certificate)
    twin = scene.stranger(ORGANISATION, stranger.certificate.serial_number)
    with pytest.raises(Unreadable, match="mehrere Zertifikate"):
        read_container(stranger.over(file, twin.certificate))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (("paper", 0, "place", "Karton 9"), "place anders als in seiner Ereigniskette"),
        (("paper", 0, "stage", "destroyed"), "stage anders als in seiner Ereigniskette"),
        (("paper", 0, "history", 1, "actor", "VRN"), "ein anderer Verlauf"),
        (("paper", 0, "history", 1, "payload", "place", "Karton 9"), "ein anderer Verlauf"),
        (("paper", []), "verschweigt paper:"),
    ],
)
def test_what_became_of_paper_is_held_against_its_own_chain(
    copy: Path, change: tuple[Any, ...], wanted: str
) -> None:
    forged(copy, "vernichtung.json", lambda content: rewritten(content, *change))
    assert any(wanted in line for line in examined(copy, openssl=False).broken)


def test_paper_without_its_chain_is_not_proven(copy: Path) -> None:
    def without(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        return b"".join(one for one in lines if json.loads(one)["chain"][:6] != "paper:")

    forged(copy, "protokoll.jsonl", without)
    said = examined(copy, openssl=False)
    assert said.broken == []
    assert any("seine Ereigniskette liegt nicht bei" in line for line in said.unproven)
    assert "vernichtung.json" in said.verdict


def _hints(sealer: x509.Certificate, note: bytes) -> list[str]:
    lines: list[str] = []
    signers = Signers(Findings(lines.append), frozenset())
    signers.compare_house(der(sealer), read_note(note))
    return lines


def test_another_organisation_than_the_note_names_is_a_hint(scene: Scene) -> None:
    note = (scene.bundle / "scanvermerk.xml").read_bytes()
    assert _hints(scene.house.certificate, note) == []
    other = note.replace(ORGANISATION.encode(), b"Stadt  MUSTERHAUSEN")
    assert _hints(scene.house.certificate, other) == [], "written otherwise"
    (hint,) = _hints(scene.stranger().certificate, note)
    assert hint.startswith("Hinweis")
    assert STRANGER in hint
    assert ORGANISATION in hint


def test_a_note_that_a_stranger_sealed_later_is_refused(scene: Scene) -> None:
    house, stranger = der(scene.house.certificate), der(scene.stranger().certificate)
    for added, broken in ((house, 0), (stranger, 1), (None, 1)):
        findings = Findings(lambda _: None)
        Signers(findings, frozenset()).judge(house, (house,), (added,))
        assert findings.broken == broken


def test_a_seal_by_another_certificate_than_the_event_names_is_refused(scene: Scene) -> None:
    lines = (scene.bundle / "protokoll.jsonl").read_text("utf-8")
    recorded = sealed_with(read_log(lines)[scene.document])
    assert recorded == scene.house.digest
    for whose, broken in ((scene.house, 0), (scene.stranger(), 1)):
        findings = Findings(lambda _: None)
        Signers(findings, frozenset()).compare_recorded(der(whose.certificate), recorded)
        assert findings.broken == broken


def test_in_the_house_only_the_certificate_that_it_used_counts(scene: Scene) -> None:
    bureau, house, stranger = scene.bureau, scene.house.digest, scene.stranger().digest
    with bureau.ledger.reading() as connection:
        assert sealers_of(connection, scene.document) == {house}
        assert sealers_of(connection, "0" * 8) == frozenset()
    judge = functools.partial(
        verify_pdf, scene.bundle / "scanprodukt.pdf", None, seal_roots=scene.trust
    )
    for sealers, passed in ((None, True), ({house}, True), ({stranger}, False), ((), False)):
        (signer,) = [one for one in judge(sealers=sealers).checks if one.name == "signer"]
        assert signer.passed is passed
        assert f"O={ORGANISATION}" in signer.text
        assert house in signer.text
    disposal = Disposal(bureau.settings, bureau.ledger, bureau.store)
    content = (scene.bundle / "scanprodukt.pdf").read_bytes()
    sha256 = bureau.store.put("default", io.BytesIO(content)).sha256
    sealed = Sealed(tenant="default", document="d", profile="p", pdf_sha256=sha256)
    own = dataclasses.replace(sealed, sealers=frozenset({house}))
    assert disposal.proof(own, sha256).fault is None
    foreign = dataclasses.replace(sealed, sealers=frozenset({stranger}))
    assert "dieses Haus" in (disposal.proof(foreign, sha256).fault or "")


def test_events_from_before_bind_the_certificate_by_the_facts(scene: Scene) -> None:
    """They did not name it, but the digest of the facts in which it stands."""
    with scene.bureau.ledger.writing() as connection:
        query = sa.select(schema.event_payload).where(
            schema.event_payload.c.chain == scene.document
        )
        told = [one for one in connection.execute(query) if one.payload.get("step") == "sealing"]
        said = {key: value for key, value in told[0].payload.items() if key != CERTIFICATE}
        assert said != told[0].payload
        event = mock.Mock(kind="sealed", salt="x", payload=said)
        with (
            mock.patch("ingest.ledger.sealers.events_of", return_value=[event]),
            mock.patch("ingest.ledger.sealers.is_genuine", return_value=True),
        ):
            assert sealers_of(connection, scene.document) == {scene.house.digest}
            event.payload = {**said, "facts_sha256": "0" * 64}
            assert sealers_of(connection, scene.document) == frozenset()
        with mock.patch("ingest.ledger.sealers.is_genuine", return_value=False):
            assert sealers_of(connection, scene.document) == frozenset()
