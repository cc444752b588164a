"""What lies outside the ledger is looked at before paper is released: seal, store, profile."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from console.boxes import page
from ingest.cli import cli
from ingest.document import PAPER_NAMES, PaperStage, RenditionKind, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, schema
from ingest.ledger.circumstances import Sealed
from ingest.settings import Settings
from ingest.store import open_store
from tests.plugins.emptied import empty_ledger
from tests.plugins.ledgers import rows
from tests.plugins.letters import Desk, after, image_pdf
from tests.plugins.paperwork import BOX, LATER, act, moved, ready, released
from tests.plugins.tokens import make_card
from workers import note, sealing
from workers.disposal import Disposal
from workers.sealing.port import fingerprint


class House:
    """A ledger of the tests beside a store, a key and a profile folder of their own."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.data = root / "data"
        self.data.mkdir(parents=True)
        self.settings = Settings(data=self.data, profiles=root / "profiles", **settings)
        (root / "profiles").mkdir()
        self.ledger: Ledger = empty_ledger(self.data / "ledger.sqlite")
        self.store = open_store(self.settings)
        self.disposal = Disposal(self.settings, self.ledger, self.store)

    def lacking(self, id_: str) -> dict[str, str]:
        (one,) = self.disposal.show(id_)
        assert one.judged is not None
        return {c.name: text for c, text in one.judged.answers if text is not None}


@pytest.fixture
def house(tmp_path: Path) -> Any:
    made = House(tmp_path)
    yield made
    made.ledger.close()


def test_a_seal_that_is_gone_or_nobodys_keeps_the_paper(house: House) -> None:
    first, _ = ready(house.ledger)
    with moved(LATER):
        assert set(house.lacking(first)) == {"sealed"}, "the store has no such file"
        with pytest.raises(UsageError, match="conditions"):
            house.disposal.release([first], by="FRG")


def sealed(desk: Desk, key: str, path: Path) -> Path:
    """Write a letter sealed with a key of the desk."""
    letter = desk.letter(composed=image_pdf())
    noted = after(letter, Step.NOTE, note.perform(letter, desk.context()), Step.SEALING)
    rules = {**noted.profile["sealing"], "key": key}
    noted = dataclasses.replace(noted, profile={**noted.profile, "sealing": rules})
    (made,) = sealing.perform(noted, desk.context()).renditions
    assert made.kind is RenditionKind.PDF
    path.write_bytes(desk.context().read(made.sha256))
    return path


def by(certificate: x509.Certificate, sha256: str) -> Sealed:
    """Return a document that the house sealed with a certificate."""
    return Sealed(
        tenant="default",
        document="d",
        profile="p",
        pdf_sha256=sha256,
        sealers=frozenset({fingerprint(certificate)}),
    )


def test_only_the_organisations_seal_that_holds_lets_paper_go(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card", ec.generate_private_key(ec.SECP256R1()))
    desk = Desk(tmp_path / "desk", sealing={"token": card.settings})
    root = tmp_path / "root.pem"
    root.write_bytes(card.root.public_bytes(Encoding.PEM))
    house = House(tmp_path, sealing={"token": {**card.settings, "issuers": root}})

    def fault(path: Path) -> str | None:
        with path.open("rb") as stream:
            blob = house.store.put("default", stream)
        pdf = by(card.certificate, blob.sha256)
        return house.disposal.proof(pdf, blob.sha256).fault

    whole = sealed(desk, "organisation", tmp_path / "siegel.pdf")
    assert fault(whole) is None
    own = sealed(desk, "installation", tmp_path / "eigen.pdf")
    assert fault(own) == "Es ist nicht das Siegel der Organisation."
    later = tmp_path / "angehaengt.pdf"
    later.write_bytes(whole.read_bytes() + b"% later\n")
    assert "angehängt" in (fault(later) or "")
    content = bytearray(whole.read_bytes())
    content[content.index(b"/Length") - 40] ^= 1
    broken = tmp_path / "gebrochen.pdf"
    broken.write_bytes(content)
    assert fault(broken) is not None
    plain = tmp_path / "ohne.pdf"
    plain.write_bytes(image_pdf())
    assert fault(plain) == "Es ist nicht das Siegel der Organisation."
    stranger = House(tmp_path / "other", sealing={"token": {**card.settings, "issuers": None}})
    stranger.store.put("default", io.BytesIO(whole.read_bytes()))
    digest = hashlib.sha256(whole.read_bytes()).hexdigest()
    assert "Wurzel" in (stranger.disposal.proof(by(card.certificate, digest), digest).fault or "")


def test_a_note_beside_the_file_is_looked_at_with_it(tmp_path: Path) -> None:
    card = make_card(tmp_path / "card", ec.generate_private_key(ec.SECP256R1()))
    desk = Desk(tmp_path / "desk", sealing={"token": card.settings})
    root = tmp_path / "root.pem"
    root.write_bytes(card.root.public_bytes(Encoding.PEM))
    house = House(tmp_path, sealing={"token": {**card.settings, "issuers": root}})
    letter = desk.letter(composed=image_pdf())
    rules = {**letter.profile, "note": {**letter.profile["note"], "container": "pdfa2"}}
    letter = dataclasses.replace(letter, profile=rules)
    made = note.perform(letter, desk.context())
    noted = after(letter, Step.NOTE, made, Step.SEALING)
    key = {**noted.profile["sealing"], "key": "organisation"}
    noted = dataclasses.replace(noted, profile={**noted.profile, "sealing": key})
    (pdf,) = sealing.perform(noted, desk.context()).renditions
    (beside,) = [one for one in made.renditions if one.kind is RenditionKind.NOTE]
    for one in (pdf, beside):
        house.store.put("default", io.BytesIO(desk.context().read(one.sha256)))

    def fault(note_sha256: str | None) -> str | None:
        known = Sealed(
            tenant="default",
            document="d",
            profile="p",
            pdf_sha256=pdf.sha256,
            note_sha256=note_sha256,
            sealers=frozenset({fingerprint(card.certificate)}),
        )
        return house.disposal.proof(known, pdf.sha256).fault

    assert fault(beside.sha256) is None
    assert "Vermerk" in (fault(None) or "")
    assert fault("0" * 64) is not None, "a note that the store lacks proves nothing"


def test_the_second_way_to_check_a_seal_needs_nothing_loaded_before() -> None:
    """Which attributes a signature has is known without the library that makes signatures."""
    code = (
        "import sys, workers.sealing.proof\n"
        "from asn1crypto import cms\n"
        "assert not any(name.startswith('pyhanko') for name in sys.modules)\n"
        "assert 'signing_certificate_v2' in cms.CMSAttribute._oid_specs\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_commands_say_where_paper_is_and_what_is_missing(house: House) -> None:
    first, second = ready(house.ledger)

    def say(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["--data", str(house.data), *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    assert BOX in say("paper", "list")
    shown = json.loads(say("paper", "show", first, "--json"))
    assert (shown["message_type"], shown["stage"], shown["place"]) == ("paper", "stored", BOX)
    held = {one["name"]: one["holds"] for one in shown["conditions"]}
    assert (held["replacing"], held["waited"], held["sealed"]) == (True, False, False)
    assert [event["kind"] for event in shown["events"]] == ["filed", "stored"]
    assert "nein Wartefrist" in say("paper", "show", first)
    said = ("--reason", "Nachscan", "--operator", "SCN")
    assert BOX in say("paper", "request", first, *said)
    pulled = [
        json.loads(line) for line in say("paper", "list", "--what", "pull", "--json").splitlines()
    ]
    assert [entry["document"] for entry in pulled] == [first]
    say("paper", "store", first, "--place", "Karton 8", "--operator", "SCN")
    say("paper", "hold", second, *said)
    say("paper", "unhold", second, "--reason", "erledigt", "--operator", "FRG")
    say("paper", "return", second, *said)
    assert PAPER_NAMES[PaperStage.RETURNED] in say("paper", "show", second)
    assert {row.stage for row in rows(house.ledger, schema.paper_unit)} == {"stored", "returned"}


def test_the_destruction_list_says_what_must_stay_and_can_be_printed(house: House) -> None:
    first, second = ready(house.ledger)
    with moved(LATER):
        released(house.ledger, first, second)
        listed = house.disposal.listed("default", "destroy", BOX)
        entries = [
            {**one.entry, "missing": [t for _, t in one.judged.answers if t] if one.judged else []}
            for one in listed
        ]
        assert house.disposal.in_box("default", BOX) == [first, second]
    assert all(len(entry["missing"]) == 1 for entry in entries), "only the seal is not there"
    printed = page([{**entries[0], "source_name": "<b>x"}], "destroy", "Europe/Berlin")
    assert "Darf nicht fort" in printed
    assert "&lt;b&gt;x" in printed
    act(house.ledger, "hold", first, by="SCN", reason="Klage")
    assert house.disposal.in_box("default", BOX) == [second]
