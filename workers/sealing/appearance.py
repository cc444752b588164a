"""How a visible seal looks: three lines in an embedded font, on a page with room for them.

It says that the organisation sealed the file and when, nothing else; what counts is the seal
behind it. PDF/A-2 and PDF/A-3 ask for embedded fonts without missing glyphs, so the lines are
set in a font of the operating system of which only the used part is embedded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pikepdf
from cryptography import x509
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.layout import AxisAlignment, InnerScaling, Margins, SimpleBoxLayoutRule
from pyhanko.pdf_utils.text import TextBoxStyle
from pyhanko.sign.fields import SigFieldSpec
from pyhanko.stamp import TextStampStyle

from ingest import clock
from ingest.errors import ToolMissing, Unclear
from profiles.outgoing import OutgoingRules
from workers.sealing.lettering import Lettering

_POINTS: Final = 72 / 25.4  #: of a millimetre
_FONTS: Final = (
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    Path("/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf"),
)
_SIZE: Final = 10
_LEADING: Final = 12
_TITLE: Final = "Elektronisch gesiegelt"


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """A drawn seal.

    Attributes:
        style: What pyHanko draws.
        page: Index of the page, from 0.
        box: Left, bottom, right and top in points, as the page counts them.
    """

    style: TextStampStyle
    page: int
    box: tuple[int, int, int, int]

    def field(self, name: str) -> SigFieldSpec:
        """Return the field in which it is shown."""
        return SigFieldSpec(name, on_page=self.page, box=self.box)


def draw(path: Path, rules: OutgoingRules, certificate: x509.Certificate, zone: str) -> Appearance:
    """Return how the seal of `certificate` is shown in the PDF at `path`.

    Raises:
        Unclear: The page is turned or too small for it.
        ToolMissing: No font that could be embedded is installed.
    """
    page, box = _place(path, rules)
    moment = clock.now().astimezone(ZoneInfo(zone))
    lines = (_TITLE, _organisation(certificate), f"am {moment:%d.%m.%Y um %H:%M:%S %Z}")
    lettering = Lettering(_font(), "\n".join(lines))
    fit = SimpleBoxLayoutRule(
        x_align=AxisAlignment.ALIGN_MIN,
        y_align=AxisAlignment.ALIGN_MID,
        margins=Margins(6, 6, 4, 4),
        inner_content_scaling=InnerScaling.SHRINK_TO_FIT,
    )
    style = TextStampStyle(
        stamp_text=lettering.text.replace("%", "%%"),
        border_width=1,
        background=None,
        text_box_style=TextBoxStyle(font=lettering, font_size=_SIZE, leading=_LEADING),
        inner_content_layout=fit,
    )
    return Appearance(style=style, page=page, box=box)


def _place(path: Path, rules: OutgoingRules) -> tuple[int, tuple[int, int, int, int]]:
    with pikepdf.open(path, suppress_warnings=True) as pdf:
        number = 0 if rules.page == "first" else len(pdf.pages) - 1
        page = pdf.pages[number]
        left, bottom, right, top = (float(one) for one in page.cropbox)
        turned = int(page.obj.get("/Rotate", _inherited(page.obj))) % 360
    if turned:
        text = f"Seite {number + 1} ist um {turned} Grad gedreht gespeichert: ein sichtbares "
        text += "Siegel stünde quer. Bitte ohne --visible siegeln oder das PDF neu ausgeben."
        raise Unclear("the page is turned", operator_text=text, code="no_room")
    x, y = left + rules.left * _POINTS, bottom + rules.bottom * _POINTS
    box = (x, y, x + rules.width * _POINTS, y + rules.height * _POINTS)
    if box[2] > right or box[3] > top:
        text = (
            f"Auf Seite {number + 1} ist für das sichtbare Siegel kein Platz. Bitte [outgoing] im "
            "Profil anpassen oder ohne --visible siegeln."
        )
        raise Unclear("no room for the seal", operator_text=text, code="no_room")
    return number, tuple(round(one) for one in box)  # type: ignore[return-value] # four of them


def _inherited(page: pikepdf.Object) -> int:
    parent = page.get("/Parent")
    for _ in range(50):
        if parent is None:
            break
        if "/Rotate" in parent:
            return int(parent.Rotate)
        parent = parent.get("/Parent")
    return 0


def _organisation(certificate: x509.Certificate) -> str:
    """Return whose seal it is, as the certificate says."""
    for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        for found in certificate.subject.get_attributes_for_oid(kind):
            return str(found.value)
    return certificate.subject.rfc4514_string()


def _font() -> Path:
    for path in _FONTS:
        if path.is_file():
            return path
    text = (
        "Für sichtbare Siegel fehlt eine Schrift, die sich einbetten lässt: bitte das Paket "
        "fonts-dejavu-core installieren oder ohne --visible siegeln."
    )
    raise ToolMissing("no font for visible seals", operator_text=text)
