"""What lies in the feeder of the network scanner of these tests."""

from __future__ import annotations

import io

from PIL import Image


def picture(number: int, size: tuple[int, int] = (827, 1169), form: str = "JPEG") -> bytes:
    """Return a page, no two alike; without further words a JPEG of A4 at 100 dpi."""
    image = Image.new("L", size, 235)
    for place in range(number % 40 + 1):
        image.paste(20, (60, 60 + 24 * place, 400 + 7 * number % 300, 70 + 24 * place))
    written = io.BytesIO()
    image.save(written, form, **({} if form == "PDF" else {"dpi": (100, 100)}))
    return written.getvalue()


def stack_of_letters() -> list[bytes]:
    """Return three letters as a duplex feeder delivers them, in colour at 300 dpi.

    A separator sheet lies between them; backs on which nothing is written are there.
    """
    from console.samples import letter_pages
    from console.samples.drawing import blank_side
    from workers.separation.sheets import render_sheet

    sides: list[Image.Image] = []
    for seed, count in ((11, 2), (12, 1), (13, 3)):
        if sides:
            sides += [render_sheet({}), blank_side(seed + 100)]
        sides += letter_pages(seed, count, skew=0.4, noise=3.0)
        if count % 2:
            sides.append(blank_side(seed))
    return [_scanned(side) for side in sides]


def _scanned(side: Image.Image) -> bytes:
    written = io.BytesIO()
    side.convert("RGB").save(written, "JPEG", quality=80, dpi=(300, 300))
    return written.getvalue()
