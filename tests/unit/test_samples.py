"""The sample post is what it says: the same every time, with known text, in every file form."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageChops, ImageSequence

from console.samples import (
    drop_samples,
    letter_pages,
    letter_texts,
    write_stack,
)

ROOT = Path(__file__).parents[2]


def test_the_same_seed_gives_the_same_pages_and_another_seed_others() -> None:
    first, again, other = (letter_pages(seed, noise=4.0)[0] for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_letter_has_exactly_the_pages_wanted_and_their_text(count: int) -> None:
    pages, texts = letter_pages(1, count), letter_texts(1, count)
    assert [page.size for page in pages] == [(2480, 3508)] * count
    assert len(texts) == count
    assert all(f"Seite {n} von {count}" in text for n, text in enumerate(texts, start=1))
    assert "Mit freundlichen Grüßen" in texts[-1]
    assert all(len(text.split()) > 60 for text in texts)


def test_nothing_is_written_over_the_edge_of_the_paper() -> None:
    for seed in range(8):
        for page in letter_pages(seed, 2):
            left, _, right, bottom = ImageChops.invert(page).getbbox() or (0, 0, 0, 0)
            assert left > 0
            assert right < 2480 - 100
            assert bottom < 3508 - 50


def test_a_stack_has_sheets_a_blank_back_and_a_turned_page(tmp_path: Path) -> None:
    with Image.open(write_stack(tmp_path / "stack.tif")) as stack:
        frames = [frame.convert("L").copy() for frame in ImageSequence.Iterator(stack)]
        assert stack.info["compression"] == "group4"
        assert stack.info["dpi"] == (300.0, 300.0)
    assert len(frames) == 2 + 1 + 2 + 1 + 3
    ink = [sum(frame.histogram()[:128]) / (2480 * 3508) for frame in frames]
    assert min(range(len(frames)), key=ink.__getitem__) == 4
    assert ink[4] < 0.0001
    upright = letter_pages(3, 3, skew=0.3)[1].convert("1", dither=Image.Dither.NONE)
    assert frames[7].rotate(180).tobytes() == upright.convert("L").tobytes()


def test_the_samples_cover_every_kind_and_dropping_again_replaces_nothing(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    dropped = drop_samples(inbox)
    assert sorted(path.suffix for path in dropped) == [".jpg", ".pdf", ".pdf", ".tif"]
    electronic, locked = (path for path in dropped if path.suffix == ".pdf")
    with pikepdf.open(electronic) as document:
        assert "/Font" in document.pages[0].Resources
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(locked)
    bytes_before = locked.read_bytes()
    dropped += drop_samples(inbox)
    assert locked.read_bytes() == bytes_before
    assert len(set(dropped)) == 8
    assert sorted(inbox.iterdir()) == sorted(dropped)
    assert [path.name for path in tmp_path.iterdir()] == ["inbox"]


def test_the_printed_separator_sheet_is_the_one_the_program_draws() -> None:
    from workers.separation.sheets import render_pdf

    with (
        pikepdf.open(ROOT / "docs" / "trennblatt.pdf") as printed,
        pikepdf.open(io.BytesIO(render_pdf({}))) as drawn,
    ):
        contents = [d.pages[0].Contents.read_bytes() for d in (printed, drawn)]
    assert contents[0] == contents[1]
