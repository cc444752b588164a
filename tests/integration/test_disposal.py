"""What lies outside the ledger is looked at before paper is released: seal, store, profile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console.boxes import page
from ingest.cli import cli
from ingest.document import PAPER_NAMES, PaperStage, RenditionKind, Step
from ingest.errors import UsageError
from ingest.ledger import Ledger, open_ledger, schema
from ingest.settings import Settings
from ingest.store import open_store
from tests.plugins.ledgers import rows
from tests.plugins.letters import Desk, after, image_pdf
from tests.plugins.paperwork import BOX, LATER, act, moved, ready, released
from workers import note, sealing
from workers.disposal import Disposal


class House:
    """A ledger of the tests beside a store, a key and a profile folder of their own."""

    def __init__(self, root: Path) -> None:
        self.data = root / "data"
        self.data.mkdir()
        self.settings = Settings(data=self.data, profiles=root / "profiles")
        (root / "profiles").mkdir()
        self.ledger: Ledger = open_ledger(self.settings.ledger_address())
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


def test_the_installations_own_signature_is_no_seal(house: House, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    letter = desk.letter(composed=image_pdf())
    noted = after(letter, Step.NOTE, note.perform(letter, desk.context()), Step.SEALING)
    (made,) = sealing.perform(noted, desk.context()).renditions
    assert made.kind is RenditionKind.PDF
    path = tmp_path / "brief.pdf"
    path.write_bytes(desk.context().read(made.sha256))
    assert house.disposal._fault(path) == "Es ist nicht das Siegel der Organisation."
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "Siegel der Organisation" not in (house.disposal._fault(path) or "")


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
