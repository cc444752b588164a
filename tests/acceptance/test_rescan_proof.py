"""Paper is scanned again, before and after delivery; a stranger verifies all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.acceptance.test_replacing import configuration, release_classes, staff, work
from tests.plugins import papers
from tests.plugins.authority import Authority
from tests.plugins.bundles import examined, only
from tests.plugins.house import House
from workers.evidence.verification import prove

_ROOTS = re.compile(r'<Erfassungswurzel(?: abbilder="([\d ]+)")?>([0-9a-f]{64})<')


_FACTS = {
    "operator": "KL",
    "device": "SC-1",
    "storage_place": "Karton 7",
    "received_at": "2026-01-02",
    "scanned_at": "2026-01-03T09:00:00+01:00",
}


def received(folder: Path, authority: Authority) -> House:
    """Return a house where a letter of two pages waits for its check and one is delivered."""
    house = House(folder, configuration(folder, authority) + "[workers]\nprocesses = 1\n")
    staff(house)
    release_classes(house, folder)
    for kind, pages in (("vorher", ("Brief eins", "Rückseite")), ("nachher", ("Brief zwei",))):
        stack = folder / "data" / "inbox" / kind / f"stapel-{kind}"
        stack.mkdir(parents=True)
        (stack / "brief.tif").write_bytes(papers.tiff(*pages))
        (stack / "batch.json").write_text(json.dumps(_FACTS), "utf-8")
    work(house)
    house.call("preserve")
    return house


def current(house: House) -> dict[str, dict[str, Any]]:
    """Return the newest revisions, by their classes."""
    rows = [row for row in house.told("list") if row["message_type"] == "document"]
    return {row["profile"]: row for row in rows if row["superseded_by"] is None}


def scanned_again(house: House, document: str, text: str, *more: str) -> str:
    """Scan paper again and return the new revision."""
    new = house.data.parent / f"{text}.tif"
    new.write_bytes(papers.tiff(text))
    who = ("--operator", "KL", "--reason", "Ecke gefaltet")
    (done,) = house.told("rescan", document, str(new), *more, *who)
    return str(done["document"])


def test_what_was_scanned_again_is_proven_until_it_is_erased(
    tmp_path: Path, authority: Authority
) -> None:
    house = received(tmp_path, authority)
    before = current(house)
    assert (before["vorher"]["stage"], before["nachher"]["stage"]) == ("checked", "delivered")
    page = scanned_again(house, before["vorher"]["id"], "Brief eins neu", "--page", "1")
    whole = scanned_again(house, before["nachher"]["id"], "Brief zwei neu")
    work(house)
    house.call("verify")
    house.call("qa", "verdict", page, "--visual", "yes", "--content", "yes", "--operator", "PRF")
    work(house)
    house.call("preserve")
    after = current(house)
    assert {row["id"] for row in after.values()} == {page, whole}
    assert {row["stage"] for row in after.values()} == {"delivered"}
    house.call("verify")
    assert_proven(house, page, {2: "2", 3: "3"})
    assert_proven(house, whole, {2: ""})
    record = tmp_path / "eingang.er"
    batch = str(after["nachher"]["batch"])
    wanted = ("--what", "receipt-evidence", "--source", "2")
    house.call("export", batch, *wanted, "-o", str(record))
    (shown,) = house.told("show", batch)
    ((again,), (said,)) = shown["rescans"], shown["rescan_evidence"]
    assert len(prove(record.read_bytes(), [bytes.fromhex(again["sha256"])])) == 1
    assert said["capture"]["stamped_at"] is not None
    for document in (whole, page):
        house.call("erase", document, "--operator", "LTG", "--reason", "irrig", "--yes")
        house.call("verify")


def assert_proven(house: House, document: str, images: dict[int, str]) -> None:
    """Verify a document here and by its bundle; `images` are named beside the root over each."""
    said = {one["name"]: one["text"] for one in house.told("verify", document)}
    assert "die Abbilder lagen hier" in said["Erfassungsnachweis Nachscan 2"]
    assert ("Erfassungsnachweis" in said) == (len(images) > 1)
    folder = house.data.parent / document
    house.call("evidence", document, "--seal", "none", "-o", str(folder))
    bundle = only(folder)
    found = examined(bundle)
    assert (found.code, found.broken) == (0, []), found
    proven = ["eingang-002", *(f"abbild-{number:05}" for number in images)]
    for name in proven:
        assert any(line.startswith(f"nachweise/{name}.er") for line in found.held), found
    roots = _ROOTS.findall((bundle / "transfervermerk.xml").read_text("utf-8"))
    assert sorted(numbers for numbers, _ in roots) == sorted(images.values())
    assert len({root for _, root in roots}) == len(images)
