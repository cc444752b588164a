"""Sample post for trying the system out: letters as paper, stacks and files arrive.

Everything is made by a seed: the same call gives the same letters, so that
demonstrations, measurements and tests speak of the same pages. The text of every page is
known (`letter_texts`), which makes it the ground truth for recognition.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from console.samples.drawing import Sheet, blank_side, draw
from console.samples.files import write_jpeg, write_letter_pdf, write_locked_pdf, write_tiff
from console.samples.letters import letter
from console.samples.wear import worn
from ingest.document import new_id

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "drop_samples",
    "letter_pages",
    "letter_texts",
    "write_letter_image",
    "write_samples",
    "write_stack",
]


def letter_pages(
    seed: int, pages: int = 1, *, skew: float = 0.0, noise: float = 0.0
) -> list[Image.Image]:
    """Return the sides of one letter, A4, 300 dpi, 8-bit grey.

    Args:
        seed: Chooses sender, matter, numbers and sentences.
        pages: How many sides, all of them written on.
        skew: Degrees by which the scanner pulled the sheet in crooked.
        noise: Standard deviation of the scanner's noise in grey levels.
    """
    sides = _sides(seed, pages)
    return [
        worn(side.image, seed=seed * 1000 + number, skew=skew, noise=noise)
        for number, side in enumerate(sides)
    ]


def letter_texts(seed: int, pages: int = 1) -> list[str]:
    """Return what `letter_pages` of the same seed has written on each side."""
    return ["\n".join(side.lines) for side in _sides(seed, pages)]


def write_letter_image(path: Path, *, seed: int) -> Path:
    """Write a letter of one page as a scanner's JPEG: a little crooked, a little noisy."""
    (page,) = letter_pages(seed, 1, skew=-0.6, noise=6.0)
    return write_jpeg(path, page)


def write_stack(path: Path, letters: tuple[int, ...] = (2, 1, 3), *, seed: int = 1) -> Path:
    """Write a stack as a scanner delivers it: bitonal, Group 4, one TIFF, 300 dpi.

    Separator sheets with the date of receipt stand between the letters. A letter of one page
    has a blank back; in a letter of three or more pages the second one was put in upside down.

    Args:
        path: Where it goes; an existing file is replaced.
        letters: The number of written sides of each letter.
        seed: Of the first letter; the others follow.
    """
    from workers.separation.sheets import render_sheet

    sides: list[Image.Image] = []
    for offset, count in enumerate(letters):
        if offset:
            sides.append(render_sheet({"REC": f"2026-03-{offset + 1:02}"}))
        written = letter_pages(seed + offset, count, skew=0.3)
        if count >= 3:  # noqa: PLR2004 - the third page shows which way up the letter is
            written[1] = written[1].rotate(180)
        sides.extend(written)
        if count == 1:
            sides.append(blank_side(seed + offset))
    return write_tiff(path, sides)


def write_samples(folder: Path) -> list[Path]:
    """Write one example of each kind of arrival, the last of which needs a person.

    Returns:
        The files: a stack with separator sheets, a photographed letter, a letter that never
        was paper, and a PDF that opens only with a password.
    """
    folder.mkdir(parents=True, exist_ok=True)
    secret = new_id()  # nobody knows it, so a person has to ask the sender
    return [
        write_stack(folder / "stapel-tagespost.tif"),
        write_letter_image(folder / "brief-stadtkasse.jpg", seed=6),
        write_letter_pdf(folder / "anfrage-elektronisch.pdf", letter(7, 3)),
        write_locked_pdf(folder / "mit-kennwort.pdf", letter(4, 2), password=secret),
    ]


def drop_samples(inbox: Path) -> list[Path]:
    """Put the samples into a watch folder, each one complete at the moment it appears.

    Nothing that already lies there is replaced.

    Returns:
        Where they were put; the watch folder may have taken them since.
    """
    inbox.mkdir(parents=True, exist_ok=True, mode=0o770)
    dropped = []
    with tempfile.TemporaryDirectory(prefix=".musterpost-", dir=inbox.parent) as folder:
        for path in write_samples(Path(folder)):
            target = inbox / path.name
            if target.exists():
                target = inbox / f"{path.stem}-{new_id()}{path.suffix}"
            dropped.append(path.rename(target))
    return dropped


def _sides(seed: int, pages: int) -> list[Sheet]:
    return draw(letter(seed, paragraphs=pages * 12), pages)
