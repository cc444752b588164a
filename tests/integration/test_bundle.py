"""A bundle proves its document elsewhere, with a bare Python, and notices every alteration."""

from __future__ import annotations

import datetime as dt
import functools
import json
import locale
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import BlobMissing, UsageError
from ingest.ledger import schema
from ingest.ledger.erasure import erase
from tests.plugins import papers
from tests.plugins.authority import Authority, serving
from tests.plugins.bundles import (
    FORGERIES,
    examined,
    examined_apart,
    forged,
    listed,
    only,
    rewritten,
)
from tests.plugins.bureau import Bureau
from tests.plugins.scanning import program
from workers.evidence.bundle import write

DAY = dt.date(2026, 11, 25)


class Scene:
    """A letter on its own and a stack of two with a neighbour's file, all secured."""

    def __init__(self, folder: Path, bureau: Bureau, authority: Authority) -> None:
        self.folder, self.bureau, self.authority = folder, bureau, authority
        letter = papers.png("Ein Brief von Erika")
        self.letter = bureau.take({"Erika.png": letter}, storage_place="Karton 7")
        stack = papers.tiff(papers.page("Otto"), papers.separator(), papers.page("Fritz"))
        self.stack = bureau.take({"Otto.tif": stack, "Hedwig.png": papers.png("Hedwig")})
        bureau.anchor(DAY)
        bureau.secure()
        self.bundle = only(self.write(self.letter, folder / "letter"))

    def write(self, unit: str, output: Path, **how: Any) -> Path:
        """Write bundles and return where they are."""
        bureau = self.bureau
        write(
            unit,
            output,
            settings=bureau.settings,
            ledger=bureau.ledger,
            store=bureau.store,
            **how,
        )
        return output


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("bureau")
    with serving() as authority:
        bureau = Bureau(folder, authority)
        yield Scene(folder, bureau, authority)
        bureau.ledger.close()


@pytest.fixture
def copy(scene: Scene, tmp_path: Path) -> Path:
    """The letter's bundle, as somebody else received it."""
    return shutil.copytree(scene.bundle, tmp_path / "anderswo")


def names(bundle: Path) -> set[str]:
    return {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}


def test_a_bundle_holds_what_its_layout_promises(scene: Scene) -> None:
    found = {name for name in names(scene.bundle) if not name.startswith("zertifikate/")}
    assert found == {
        "LIESMICH.html",
        "beweis.json",
        "evidence-record.er",
        "manifest.p7s",
        "manifest.sha256",
        "nachweise/abbild-00001.er",
        "nachweise/eingang-001.er",
        f"nachweise/tageswurzel-{DAY}.er",
        "original-eingang/001-Erika.png",
        "protokoll.jsonl",
        "pruefberichte/eingang.json",
        "pruefberichte/kontrolle.json",
        "pruefberichte/siegel.json",
        "pruefen.py",
        "scanprodukt.pdf",
        "scanvermerk.html",
        "scanvermerk.xml",
        f"stapel/{scene.letter}.json",
        "verfahrensdokumentation/profil.json",
        "verfahrensdokumentation/profil.toml",
        "verfahrensdokumentation/programme.json",
        "vernichtung.json",
    }
    certificates = names(scene.bundle / "zertifikate")
    assert "wurzeln.pem" in certificates
    assert len(certificates) == 4, "installation, authority, its root, and the roots together"
    assert (
        json.loads((scene.bundle / "vernichtung.json").read_text())["storage_place"] == "Karton 7"
    )


def test_a_bare_python_accepts_it_elsewhere_and_says_what_it_proves(copy: Path) -> None:
    program("openssl")
    said = examined_apart(copy)
    assert (said.code, said.broken) == (0, [])
    text = "\n".join(said.held)
    assert "evidence-record.er: original-eingang/001-Erika.png, scanprodukt.pdf" in text
    assert "Zeitstempel 1 gültig nach den Zertifikaten in diesem Paket" in text
    assert "enthält scanvermerk.xml Byte für Byte" in text
    assert "Signatur gültig" in text
    assert "Unterschrift des Pakets gültig" in text
    assert text.count("zur Wurzel stimmt") == 2
    assert any("Sperrstatus" in line for line in said.skipped)


def test_without_openssl_digests_hold_and_signatures_are_said_to_be_unverified(
    copy: Path,
) -> None:
    said = examined_apart(copy, openssl=False)
    assert (said.code, said.broken) == (0, [])
    unverified = [line for line in said.skipped if "openssl fehlt" in line]
    assert {line.partition(":")[0] for line in unverified} == {
        "manifest.p7s",
        "evidence-record.er",
        "nachweise/abbild-00001.er",
        "nachweise/eingang-001.er",
        f"nachweise/tageswurzel-{DAY}.er",
        "scanprodukt.pdf",
    }
    assert any("enthält scanvermerk.xml Byte für Byte" in line for line in said.held)


def test_the_commands_on_the_page_do_what_it_says(copy: Path) -> None:
    """The first and third; the second is the verifier."""
    page = (copy / "LIESMICH.html").read_text("utf-8")
    commands = [part.partition("</code>")[0] for part in page.split("<pre><code>")[1:]]
    assert commands[1] == "python3 pruefen.py"
    for command in (commands[0], commands[2]):
        program(command.split()[0])
        done = subprocess.run(command.split(), cwd=copy, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_given_certificates_decide_who_signed(scene: Scene, copy: Path, tmp_path: Path) -> None:
    program("openssl")
    roots = copy / "zertifikate" / "wurzeln.pem"
    shutil.copy(roots, tmp_path / "eigene.pem")
    assert examined(copy, "--trust", str(tmp_path / "eigene.pem")).code == 0
    own = scene.bureau.settings.sealing.tsa_roots
    said = examined(copy, "--trust", str(own))
    assert said.code == 1
    assert {line.partition(":")[0] for line in said.broken} == {"manifest.p7s", "scanprodukt.pdf"}


def test_the_same_document_makes_the_same_bytes_wherever_and_whenever(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.write(scene.stack, tmp_path / "eins", seal="none")
    archive = scene.write(scene.stack, tmp_path / "eins.zip", seal="none", archive=True)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    try:
        second = scene.write(scene.stack, tmp_path / "zwei", seal="none")
        again = scene.write(scene.stack, tmp_path / "zwei.zip", seal="none", archive=True)
    finally:
        locale.setlocale(locale.LC_ALL, before)
        monkeypatch.undo()
        time.tzset()
    assert names(first) == names(second)
    for name in names(first):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert archive.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(archive) as packed:
        assert {entry.filename: packed.read(entry) for entry in packed.infolist()} == {
            name: (first / name).read_bytes() for name in names(first)
        }


def test_only_the_signature_over_the_list_differs(scene: Scene, tmp_path: Path) -> None:
    again = only(scene.write(scene.letter, tmp_path / "noch-einmal"))
    different = {
        name
        for name in names(scene.bundle)
        if (scene.bundle / name).read_bytes() != (again / name).read_bytes()
    }
    assert different == {"manifest.p7s"}


def test_a_flipped_byte_in_any_file_is_refused_by_name(copy: Path) -> None:
    for name in sorted(names(copy)):
        content = (copy / name).read_bytes()
        altered = bytearray(content)
        altered[len(content) // 2] ^= 0x04
        (copy / name).write_bytes(altered)
        said = examined(copy, openssl=name == "manifest.p7s")
        (copy / name).write_bytes(content)
        assert said.code == 1, name
        named = any(line.startswith(name) for line in said.broken)
        # a byte of the list may be one of a digest: then its file is named, and its signature
        assert named or name == "manifest.sha256", (name, said.broken)


def test_a_file_that_is_missing_or_besides_is_refused_by_name(copy: Path) -> None:
    for name in sorted(names(copy) - {"pruefen.py"}):
        aside = copy.with_name("weg")
        (copy / name).rename(aside)
        said = examined(copy, openssl=False)
        aside.rename(copy / name)
        assert said.code == 1, name
        assert any(line.startswith(name) for line in said.broken), (name, said.broken)
    (copy / "noch-etwas.txt").write_text("untergeschoben")
    said = examined(copy, openssl=False)
    assert said.broken == ["noch-etwas.txt: steht nicht in manifest.sha256"]


def test_a_signature_that_was_taken_away_is_missed(scene: Scene, copy: Path) -> None:
    (copy / "manifest.p7s").unlink()
    said = examined(copy, openssl=False)
    assert said.code == 1
    assert said.broken == [
        "manifest.p7s: fehlt, obwohl beweis.json eine Unterschrift nennt (installation)"
    ]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_who_makes_the_list_anew_is_found_out_all_the_same(copy: Path, forgery: str) -> None:
    name, change, wanted = FORGERIES[forgery]
    where = f"stapel/{next((copy / 'stapel').iterdir()).name}" if name == "stapel" else name
    forged(copy, where, change)
    said = examined(copy, openssl=False)
    assert said.code == 1, said
    assert not any(line.startswith("manifest.sha256") for line in said.broken)
    assert any(wanted in line for line in said.broken), said.broken


def _instead(foreign: bytes, _: bytes) -> bytes:
    return foreign


def test_a_swapped_note_or_record_belongs_to_somebody_else(
    scene: Scene, copy: Path, tmp_path: Path
) -> None:
    other = min(scene.write(scene.stack, tmp_path / "andere", seal="none").iterdir())
    for name in ("scanvermerk.xml", "evidence-record.er", "scanprodukt.pdf", "protokoll.jsonl"):
        bundle = shutil.copytree(copy, tmp_path / name)
        foreign = (other / name).read_bytes()
        forged(bundle, name, functools.partial(_instead, foreign))
        said = examined(bundle, openssl=False)
        assert said.code == 1, name
        assert any(line.startswith(name) for line in said.broken), (name, said.broken)


def test_records_over_day_arrival_and_image_are_followed_and_not_to_be_exchanged(
    copy: Path,
) -> None:
    found = examined(copy)
    assert (found.code, found.broken) == (0, [])
    held = "\n".join(found.held)
    names = (f"tageswurzel-{DAY}", "eingang-001", "abbild-00001")
    day, arrival, image = (copy / "nachweise" / f"{name}.er" for name in names)
    wanted = {day: "die Tageswurzel", arrival: "original-eingang/001-", image: "Abbild 1"}
    for path, what in wanted.items():
        assert f"{path.name}: {what}" in held
    kept = {path: path.read_bytes() for path in wanted}
    for path, other in ((day, image), (arrival, day), (image, day)):
        path.write_bytes(kept[other])
        listed(copy)
        found = examined(copy, openssl=False)
        path.write_bytes(kept[path])
        (broken,) = found.broken
        assert broken.startswith(f"nachweise/{path.name}: beweist nichts"), broken


def test_neither_other_documents_nor_the_machine_are_in_it(scene: Scene, tmp_path: Path) -> None:
    bundles = scene.write(scene.stack, tmp_path / "stapel", seal="none").iterdir()
    otto, hedwig = sorted(bundles, key=lambda one: "original-eingang/002-Hedwig.png" in names(one))
    assert "original-eingang/002-Hedwig.png" in names(hedwig)
    host = rf"\b{re.escape(socket.gethostname())}\b"
    places = re.compile(f"{host}|{scene.folder}|{tmp_path}|127\\.0\\.0\\.1|{os.sep}home")
    for bundle in (scene.bundle, otto, hedwig):
        said = examined(bundle, openssl=False)
        assert said.code == 0, said
        texts = {name for name in names(bundle) if name.endswith((".json", ".jsonl", "ml"))}
        assert len(texts) > 8
        for name in texts:
            assert places.search((bundle / name).read_text("utf-8")) is None, name
    for name in names(otto):
        assert b"Hedwig" not in (otto / name).read_bytes(), name
    assert not any(name.startswith("original-eingang") for name in names(otto))


def test_of_an_erased_document_the_record_of_its_deletion_is_left(
    scene: Scene, tmp_path: Path
) -> None:
    bureau = scene.bureau
    batch = bureau.take({"Irrläufer.png": papers.png("Ein Irrläufer")})
    (document,) = bureau.documents(batch)
    with bureau.ledger.writing() as connection:
        for sha256 in erase(connection, document, "op17", "versehentlich geöffnet"):
            bureau.store.erase("default", sha256)
    bundle = only(scene.write(document, tmp_path / "geloescht", seal="none"))
    assert names(bundle) >= {"loeschprotokoll.json", "protokoll.jsonl", "pruefen.py"}
    assert not names(bundle) & {"scanprodukt.pdf", "scanvermerk.xml", "evidence-record.er"}
    assert not any(
        "Irrl" in (bundle / name).read_text("utf-8", "replace")
        for name in names(bundle) - {"pruefen.py"}
    )
    (entry,) = [
        one
        for one in json.loads((bundle / "loeschprotokoll.json").read_text("utf-8"))["entries"]
        if one["chain"] == document
    ]
    assert (entry["by"], entry["said"]["reason"]) == ("op17", "versehentlich geöffnet")
    said = examined(bundle)
    assert (said.code, said.broken) == (3, []), "neither seal nor timestamp yet"
    forged(bundle, "loeschprotokoll.json", lambda said: rewritten(said, "entries", 0, "by", "op18"))
    (broken,) = examined(bundle).broken
    assert broken.startswith("loeschprotokoll.json")


def test_nothing_is_left_where_a_bundle_could_not_be_written(scene: Scene, tmp_path: Path) -> None:
    taken = tmp_path / "vorhanden"
    taken.mkdir()
    with pytest.raises(UsageError, match="exists"):
        scene.write(scene.letter, taken)
    with pytest.raises(UsageError, match="missing"):
        scene.write(scene.letter, tmp_path / "nirgends" / "paket")
    with pytest.raises(UsageError, match="unknown"):
        scene.write("ffffffff", tmp_path / "paket")
    bureau = scene.bureau
    batch = bureau.take({"Verloren.png": papers.png("Ein verlorener Brief")})
    with bureau.ledger.reading() as connection:
        source = schema.batch_source
        query = source.select().where(source.c.batch_id == batch)
        sha256 = connection.execute(query).one().sha256
    bureau.store.erase("default", sha256)
    for archive in (False, True):
        with pytest.raises(BlobMissing):
            scene.write(batch, tmp_path / "paket", archive=archive, seal="none")
    assert [path.name for path in tmp_path.iterdir()] == ["vorhanden"]


def test_several_are_verified_in_one_go_and_one_bad_one_is_enough(
    copy: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(copy, tmp_path / "zweites")
    assert examined(copy, str(other), openssl=False).code == 0
    (other / "scanvermerk.html").unlink()
    said = examined(copy, str(other), openssl=False)
    assert (said.code, said.broken) == (1, ["scanvermerk.html: fehlt"])


def test_what_is_no_bundle_is_refused_and_a_wrong_call_is_usage(tmp_path: Path, copy: Path) -> None:
    verifier = copy / "pruefen.py"
    for arguments, code in (
        ([str(tmp_path / "nichts")], 2),
        (["--falsch"], 2),
        ([str(tmp_path)], 1),
    ):
        command = [sys.executable, "-I", str(verifier), *arguments]
        assert subprocess.run(command, check=False, capture_output=True).returncode == code
    (copy / "beweis.json").write_text('{"version": 1, "document": "../x"}')
    said = examined(copy, openssl=False)
    assert said.code == 1
    assert any("mehr lässt sich nicht prüfen" in line for line in said.broken)
