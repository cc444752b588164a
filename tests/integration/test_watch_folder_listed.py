"""Nothing that may be a letter is passed over in silence, whatever its name and its folder."""

from __future__ import annotations

import json

import pytest

from tests.plugins.watching import House, image, pdf, sha256

COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
LITTER = [
    ("Thumbs.db", COMPOUND + "Catalog".encode("utf-16-le")),
    ("desktop.ini", b"[.ShellClassInfo]\r\nConfirmFileOp=0\r\n"),
    ("desktop.ini", "\ufeff[ViewState]".encode("utf-16-le")),
    (".DS_Store", b"\x00\x00\x00\x01Bud1" + bytes(4096)),
]


@pytest.mark.parametrize(("name", "content"), LITTER)
def test_litter_by_name_and_content_is_passed_over(house: House, name: str, content: bytes) -> None:
    path = house.drop(name, content)
    assert house.settle() == 0
    assert house.unaccepted() == {}
    assert path.exists()


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini"])
@pytest.mark.parametrize("content", [image(), pdf()])
def test_a_letter_with_the_name_of_litter_is_received(
    house: House, name: str, content: bytes
) -> None:
    house.drop(name, content)
    assert house.settle() == 1
    assert house.digests() == [sha256(content)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".DS_Store", image()),
        ("Thumbs.db", bytes(64)),
    ],
)
def test_what_is_neither_litter_nor_accepted_is_listed(
    house: House, name: str, content: bytes
) -> None:
    house.drop(name, content)
    assert house.settle() == 0
    assert name in house.unaccepted()


def test_a_message_with_the_name_of_litter_is_received(house: House) -> None:
    house.drop("Thumbs.db", COMPOUND + "__properties_version1.0".encode("utf-16-le"))
    assert house.settle() == 1


def test_files_in_a_folder_that_is_no_inbox_are_listed_by_their_names(house: House) -> None:
    deep = house.inbox / "Müller" / "alt"
    deep.mkdir(parents=True)
    (deep / "2.pdf").write_bytes(pdf())
    house.drop("Müller/1.pdf", pdf())
    house.drop(*LITTER[0])
    house.settle()
    assert sorted(house.unaccepted()) == ["Müller", "Müller/1.pdf", "Müller/alt/2.pdf"]


def test_what_a_stack_leaves_behind_stays_listed_by_its_name(house: House) -> None:
    house.drop("stapel/1.jpg", image())
    house.drop("stapel/zuviel.pdf", pdf())
    house.drop("stapel/batch.json", json.dumps({"sources": [{"name": "1.jpg"}]}).encode())
    assert house.pass_after(0).accepted == 1
    assert "stapel/zuviel.pdf" in house.unaccepted()
    house.settle()
    assert "stapel/zuviel.pdf" in house.unaccepted()


def test_of_very_many_files_in_a_wrong_folder_the_list_says_that_there_are_more(
    house: House,
) -> None:
    (house.inbox / "viele").mkdir()
    for number in range(1003):
        (house.inbox / "viele" / f"{number:04}.pdf").touch()
    house.settle()
    listed = house.unaccepted()
    assert len(listed) == 1002
    assert "noch mehr" in listed["viele/1000.pdf"].operator_text
