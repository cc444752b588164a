"""The file forms in which post arrives: scanner stack, photograph, electronic letter."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from PIL import Image

from console.samples.drawing import DPI, typeface
from console.samples.letters import Letter

_MADE_AT = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)


def write_tiff(path: Path, sides: list[Image.Image]) -> Path:
    """Write the sides as one bitonal Group 4 TIFF."""
    first, *others = [_bitonal(side) for side in sides]
    first.save(
        path,
        format="TIFF",
        compression="group4",
        save_all=True,
        append_images=others,
        dpi=(DPI, DPI),
    )
    return path


def write_jpeg(path: Path, side: Image.Image) -> Path:
    """Write one side as a grey JPEG that carries its resolution."""
    side.save(path, format="JPEG", quality=82, dpi=(DPI, DPI))
    return path


def write_letter_pdf(path: Path, content: Letter) -> Path:
    """Write the letter as a word processor does: text and fonts, never paper."""
    from fpdf import FPDF

    document = FPDF(format="A4")
    document.set_creation_date(_MADE_AT)
    document.set_title(content.subject)
    document.set_margins(25, 20, 20)
    document.add_font("letter", fname=str(typeface("regular", 11).path))
    document.set_font("letter", size=11)
    document.add_page()
    label, value = content.reference
    blocks = (
        "\n".join(content.sender),
        "\n".join(content.recipient),
        f"{label}: {value}\nDatum: {content.dated:%d.%m.%Y}",
        content.subject,
        content.salutation,
        *content.paragraphs,
        *("   ".join(row) for row in content.table),
        f"Mit freundlichen Grüßen\n\n{content.signed}",
    )
    for block in blocks:
        document.multi_cell(0, 5.4, block, new_x="LMARGIN", new_y="NEXT")
        document.ln(4)
    document.output(str(path))
    return path


def write_locked_pdf(path: Path, content: Letter, *, password: str) -> Path:
    """Write the letter so that it opens only with `password`."""
    import pikepdf

    plain = path.with_suffix(".plain")
    try:
        write_letter_pdf(plain, content)
        with pikepdf.open(plain) as document:
            document.save(path, encryption=pikepdf.Encryption(user=password, owner=password))
    finally:
        plain.unlink(missing_ok=True)
    return path


def _bitonal(side: Image.Image) -> Image.Image:
    return side.convert("1", dither=Image.Dither.NONE)
