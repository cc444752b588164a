"""Replacing scanning from the first person to the shredder, by the commands of the handbook.

One house, one batch of two letters, real token, real timestamps; each test looks at one stretch.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import profiles
from scanners.folder import FolderChannel
from tests.plugins import papers
from tests.plugins.authority import Authority
from tests.plugins.bundles import examined, forged, only, rewritten
from tests.plugins.house import House
from tests.plugins.paperwork import moved
from tests.plugins.releases import profile_text
from tests.plugins.tokens import make_card

_PEOPLE = {
    "KL": ("scan_operator", "Klara Leser"),
    "LTG": ("supervisor", "Lea Leitung"),
    "PRF": ("checker", "Paul Prüfer"),
    "SBR": ("clerk", "Sabine Recht"),
    "FRG": ("releaser", "Frida Freigabe"),
    "VRN": ("destroyer", "Vera Nichtung"),
}
_CLASSES = {"vorher": "before_delivery", "nachher": "by_clerk"}


@dataclass
class Scene:
    """The house and what has happened in it so far."""

    house: House
    folder: Path
    documents: dict[str, list[dict[str, Any]]]
    sample: list[dict[str, Any]] = field(default_factory=list)

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """Return the documents of a class as the list tells them now."""
        rows = {row["id"]: row for row in self.house.told("list")}
        return [rows[document["id"]] for document in self.documents[kind]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Scene:
    """Two letters of each class received; those that wait for their sample wait."""
    folder = tmp_path_factory.mktemp("haus")
    house = House(folder, configuration(folder, authority))
    staff(house)
    release_classes(house, folder)
    scene = Scene(house, folder, {})
    for kind in _CLASSES:
        stack = folder / "data" / "inbox" / kind / f"stapel-{kind}"
        stack.mkdir(parents=True)
        for name in ("eins", "zwei"):
            (stack / f"{name}.tif").write_bytes(papers.tiff(f"{kind} {name}"))
        said = {"operator": "KL", "device": "SC-1", "storage_place": "Karton 7"}
        said |= {"received_at": "2026-01-02", "scanned_at": "2026-01-03T09:00:00+01:00"}
        (stack / "batch.json").write_text(json.dumps(said), "utf-8")
    work(house)
    for row in house.told("list"):
        if row["message_type"] == "document":
            kind = "vorher" if row["standing"] == "waiting" else "nachher"
            scene.documents.setdefault(kind, []).append(row)
    return scene


def configuration(folder: Path, authority: Authority) -> str:
    card = make_card(folder / "card", ec.generate_private_key(ec.SECP256R1()))
    roots = folder / "roots.pem"
    roots.write_bytes(authority.root)
    token = {**card.settings}
    environment = token.pop("environment")
    lines = [f"{name} = {json.dumps(value)}" for name, value in token.items()]
    lines += [f"environment.{name} = {json.dumps(value)}" for name, value in environment.items()]
    return "\n".join(
        [
            "[house]",
            'organisation = "Stadt Musterhausen"',
            'place = "Musterhausen"',
            'unit = "Poststelle"',
            "[folder]",
            "settle_seconds = 0.0",
            "[sealing]",
            f'tsa_url = "{authority.url}"',
            f'tsa_roots = "{roots}"',
            "[sealing.token]",
            *lines,
            "",
        ]
    )


def staff(house: House) -> None:
    house.call("people", "add", "ADM", "--by", "ADM")
    house.call("people", "give", "ADM", "administrator", "--by", "ADM")
    for code, (role, name) in _PEOPLE.items():
        house.call("people", "add", code, "--by", "ADM")
        house.call("people", "give", code, role, "--by", "ADM")
        house.call("people", "name", code, "--by", "ADM", entered=f"{name}\n")


def release_classes(house: House, folder: Path) -> None:
    written = folder / "vd.pdf"
    written.write_bytes(b"%PDF-1.7 Verfahrensdokumentation")
    house.call("procedure", "release", str(written), "--by", "LTG", "--name", "VD 3")
    for kind, check in _CLASSES.items():
        procedure = hashlib.sha256(written.read_bytes()).hexdigest()
        text = profile_text(name=kind, procedure=procedure, strong=False)
        text = text.replace('check = "before_delivery"', f'check = "{check}"')
        text = text.replace('level = "B-LTA"', 'level = "B-T"').replace(
            "share = 0.04", "minimum = 1"
        )
        text += '[separation]\nenabled = false\n[checking]\nduplicates = "off"\n'
        text += "[paper]\nwaiting_days = 0\n"
        text += 'archive = "disposable"\narchive_reference = "Bewertung 7/2026"\n'
        (house.profiles / f"{kind}.toml").write_text(text, "utf-8")
        house.call("profile", "submit", kind, "--author", "KL")
        house.call("profile", "test", kind, "--by", "KL", "--result", "20 Blatt lesbar")
        house.call("profile", "approve", kind, "--by", "LTG")
    house.call("procedure", "release-annex", "--by", "LTG")


def work(house: House) -> None:
    """Take in what lies in the inbox and work everything as far as it goes."""
    from ingest.cli.app import App
    from ingest.cli.waiting import await_end
    from ingest.ledger.reading import rows

    with App(house.data, house.config) as app:
        channel = FolderChannel(
            app.settings, "default", app.ledger, app.store, profiles, lambda _queue: None
        )
        for _ in range(3):
            channel.pass_once()
        with app.ledger.reading() as connection:
            batches = [r["id"] for r in rows(connection) if r["message_type"] == "batch"]
        await_end(app, batches)


@pytest.fixture(scope="module")
def judged(scene: Scene) -> Scene:
    """The sample is judged, the clerks' results are there, and everything is delivered."""
    house = scene.house
    scene.sample = house.told("qa", "list")
    for document in scene.sample[0]["owed"]:
        seen = ("--visual", "yes", "--content", "yes")
        verdict = ("qa", "verdict", document, *seen, "--operator")
        assert "Qualitätssicherung" in house.refuse(*verdict, "KL")
        house.call(*verdict, "PRF")
    work(house)
    good, bad = scene.listed("nachher")
    for document, said in ((good, "yes"), (bad, "no")):
        more = () if said == "yes" else ("--reason", "Seite 2 fehlt")
        words = ("qa", "result", document["id"], "--operator", "SBR")
        house.told(*words, "--visual", said, "--content", said, *more)
    work(house)
    house.call("preserve")
    return scene


def test_everything_of_the_sample_waits_and_nothing_is_sealed(judged: Scene) -> None:
    assert sorted(map(len, judged.documents.values())) == [2, 2]
    for document in judged.documents["vorher"]:
        assert document["stage"] == "checked"
        assert "pdf" not in document["outputs"]
    (batch,) = judged.sample
    assert (batch["size"], batch["population"]) == (1, 2)


def test_the_checked_batch_is_noted_sealed_and_delivered_as_replacing(judged: Scene) -> None:
    house, grounds = judged.house, set()
    for document in judged.listed("vorher"):
        assert document["stage"] == "delivered", document
        note = judged.folder / f"{document['id']}.xml"
        house.call("export", document["id"], "--what", "note", "-o", str(note))
        text = note.read_text("utf-8")
        grounds.add("nicht einzeln geprüft" in text)
        assert "KL" in text
        assert "Klara" not in text
        house.call("verify", document["id"])
    assert grounds == {True, False}, "one was looked at, the other only by the sample"


def test_a_clerks_result_is_a_sealed_note_beside_the_document(judged: Scene) -> None:
    for document in judged.listed("nachher"):
        assert document["stage"] == "delivered"
        assert {"supplement", "supplement_seal"} <= document["outputs"].keys()
        judged.house.call("verify", document["id"])


@pytest.mark.parametrize("when", ["vorher", "nachher"])
def test_a_stranger_verifies_the_bundle(judged: Scene, when: str) -> None:
    document = judged.listed(when)[0]["id"]
    target = judged.folder / f"beweis-{when}"
    judged.house.call("evidence", document, "-o", str(target))
    (bundle,) = target.rglob("pruefen.py")
    found = subprocess.run(
        [sys.executable, "-I", str(bundle)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout
    assert (bundle.parent / "transfervermerk.xml").exists()
    supplement = "gilt dieser ergaenzungsvermerk.xml" in found.stdout
    assert supplement == (when == "nachher"), found.stdout


def test_paper_goes_only_after_everything_and_by_two_persons(judged: Scene) -> None:
    house = judged.house
    documents = [judged.listed("vorher")[0]["id"], judged.listed("nachher")[0]["id"]]
    refused = judged.listed("nachher")[1]["id"]
    for document in (*documents, refused):
        house.call("paper", "store", document, "--place", "Karton 7", "--operator", "KL")
    release = ("paper", "release", documents[0], "--operator", "FRG")
    assert "keine vollständige Sicherung" in house.refuse(*release)
    with moved(dt.timedelta(hours=1)):  # what was delivered minutes ago may not be in it
        house.call("backup", str(judged.folder / "sicherung"))
    assert "confirmed" in _missing(house, refused)
    for document in documents:
        assert _missing(house, document) == ["waited"], "with zero days it may go tomorrow"
    means = ("--method", "Aktenvernichter im Haus", "--level", "3/P-5")
    destroy = ("paper", "destroy", *documents, *means, "--operator")
    with moved(dt.timedelta(days=2)):
        assert "nicht bestätigt" in house.refuse("paper", "release", refused, "--operator", "FRG")
        house.call("paper", "release", *documents, "--operator", "FRG")
        assert "Vernichtung" in house.refuse(*destroy, "FRG")
        house.call(*destroy, "VRN")
    _bundle_tells_of_destruction(judged, documents[0])
    for document in documents:
        (unit,) = (row for row in house.told("paper", "show", document) if row["document"])
        assert unit["stage"] == "destroyed"
    house.call("verify")


def _bundle_tells_of_destruction(judged: Scene, document: str) -> None:
    """What became of the paper is told as its own chain tells it, and not otherwise."""
    target = judged.folder / "vernichtet"
    judged.house.call("evidence", document, "-o", str(target))
    bundle = only(target)
    said = examined(bundle, openssl=False)
    assert (said.code, said.broken) == (0, [])
    assert any("Stand und Ort wie in seiner Ereigniskette" in line for line in said.held)
    change = ("paper", 0, "history", -1, "payload", "method", "verbrannt")
    forged(bundle, "vernichtung.json", lambda content: rewritten(content, *change))
    assert examined(bundle, openssl=False).code == 1


def _missing(house: House, document: str) -> list[str]:
    units = house.told("paper", "show", document)
    return [one["name"] for unit in units for one in unit["conditions"] if not one["holds"]]
