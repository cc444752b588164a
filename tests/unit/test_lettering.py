"""The letters of a visible seal: the used part of a font, from which text can be read again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from pyhanko.pdf_utils import generic, writer

from workers.sealing.lettering import Lettering

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
PDF: Any = generic
WRITER: Any = writer


@pytest.fixture(scope="module")
def drawn() -> bytes:
    """A page on which two lines are set; the second begins where the first is said to end."""
    if not FONT.is_file():
        pytest.skip("needs fonts-dejavu-core")
    lettering = Lettering(FONT, "Größe\n漢 42")
    pdf = WRITER.PdfFileWriter()
    engine = lettering.create_font_engine(pdf)
    first, second = (engine.shape(line) for line in lettering.text.split("\n"))
    ops = b"BT /F 20 Tf 30 50 Td %s ET BT /F 20 Tf %f 50 Td %s ET" % (
        first.graphics_ops,
        30 + 20 * first.x_advance,
        second.graphics_ops,
    )
    content = pdf.add_object(PDF.StreamObject(stream_data=ops))
    fonts = PDF.DictionaryObject({PDF.pdf_name("/F"): engine.as_resource()})
    page = WRITER.PageObject(
        contents=content,
        media_box=(0, 0, 200, 100),
        resources=PDF.DictionaryObject({PDF.pdf_name("/Font"): fonts}),
    )
    pdf.insert_page(page)
    written = io.BytesIO()
    pdf.write(written)
    return written.getvalue()


def test_text_is_found_again_and_what_the_font_lacks_is_a_question_mark(drawn: bytes) -> None:
    document = pypdfium2.PdfDocument(drawn)
    try:
        page = document[0].get_textpage()
        assert page.get_text_bounded() == "Größe? 42"
        # nothing overlaps: each letter begins behind the one before, as the widths say
        starts = [page.get_charbox(at)[0] for at in range(len("Größe?"))]
        assert starts == sorted(starts)
        assert starts[5] - starts[4] > 8
    finally:
        document.close()


def test_the_font_is_cut_to_what_is_drawn(drawn: bytes) -> None:
    with pikepdf.open(io.BytesIO(drawn)) as pdf:
        (descendant,) = pdf.pages[0].Resources.Font.F.DescendantFonts.as_list()
        program = descendant.FontDescriptor.FontFile2.read_bytes()
    assert len(program) < 5_000
    assert b"GPOS" not in program[:300]
