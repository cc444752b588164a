"""Free typefaces that have the measures of those which senders do not embed.

The URW++ base 35 fonts (AGPL with the exception that they may be part of any document, Debian
`fonts-urw-base35`, which Ghostscript needs as well) were made to the widths of the standard 14
fonts of PDF, and Arial, Times New Roman and Courier New were as well. A page set in one of these
keeps every letter at its place.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fontTools import subset
from fontTools.ttLib import TTFont

FOLDER: Final = Path("/usr/share/fonts/opentype/urw-base35")
MEASURES: Final = Path("/usr/share/fonts/type1/urw-base35")
_MEASURE: Final = re.compile(r"^C (\d+) ;.*? N (\S+) ;", re.MULTILINE)
_TAG: Final = re.compile(r"^[A-Z]{6}\+")
#: Longest beginning first; what follows it says the style.
_FAMILIES: Final = MappingProxyType(
    {
        "timesnewroman": "NimbusRoman",
        "zapfdingbats": "D050000L",
        "couriernew": "NimbusMonoPS",
        "helvetica": "NimbusSans",
        "courier": "NimbusMonoPS",
        "symbol": "StandardSymbolsPS",
        "times": "NimbusRoman",
        "arial": "NimbusSans",
    }
)
_STYLES: Final = MappingProxyType(
    {
        (False, False): "Regular",
        (True, False): "Bold",
        (False, True): "Italic",
        (True, True): "BoldItalic",
    }
)
#: What may follow a family's name and changes nothing about its measures.
_PLAIN: Final = re.compile(
    r"(?:ps|mt|psmt|std|roman|regular|normal|bold|italic|oblique|bolditalic|boldoblique)*"
)
_SYMBOLIC: Final = frozenset({"StandardSymbolsPS", "D050000L"})
FIXED, SERIF, SYMBOLIC, NONSYMBOLIC, ITALIC = 1, 2, 4, 32, 64


@dataclass(frozen=True, kw_only=True)
class Typeface:
    """One font file and how a PDF describes it.

    Attributes:
        name: Such as `NimbusSans-Bold`.
        flags: Of the font descriptor (ISO 32000-1, table 123).
        widths: Advance of each glyph by name, in thousandths.
    """

    name: str
    path: Path
    flags: int
    widths: MappingProxyType[str, int]
    box: tuple[int, int, int, int]
    italic_angle: float
    ascent: int
    descent: int
    capital: int
    encoding: MappingProxyType[int, str]

    @property
    def is_symbolic(self) -> bool:
        """Whether its letters are signs with an order of their own."""
        return bool(self.flags & SYMBOLIC)


def typeface_for(name: str) -> Typeface | None:
    """Return the typeface with the measures of the font called `name`, None if none has them."""
    bare = re.sub(r"[^a-z0-9]", "", _TAG.sub("", name).lower())
    for beginning, family in _FAMILIES.items():
        if bare.startswith(beginning):
            rest = bare.removeprefix(beginning)
            if not _PLAIN.fullmatch(rest):
                return None
            if family in _SYMBOLIC:
                return _loaded(family)
            leaning = "italic" in rest or "oblique" in rest
            return _loaded(f"{family}-{_STYLES['bold' in rest, leaning]}")
    return None


@functools.cache
def _loaded(name: str) -> Typeface | None:
    path = FOLDER / f"{name}.otf"
    if not path.is_file():
        return None
    with TTFont(path, lazy=True) as font:
        head, metrics, names = font["head"], font["OS/2"], font["hmtx"].metrics
        widths = {glyph: int(advance) for glyph, (advance, _) in names.items()}
        angle = float(font["post"].italicAngle)
        return Typeface(
            name=name,
            path=path,
            flags=_flags(name, leaning=bool(angle)),
            widths=MappingProxyType(widths),
            box=(head.xMin, head.yMin, head.xMax, head.yMax),
            italic_angle=angle,
            ascent=int(metrics.sTypoAscender),
            descent=int(metrics.sTypoDescender),
            capital=int(getattr(metrics, "sCapHeight", 0) or metrics.sTypoAscender),
            encoding=MappingProxyType(_own_order(name)),
        )


def _flags(name: str, *, leaning: bool) -> int:
    flags = SYMBOLIC if name in _SYMBOLIC else NONSYMBOLIC
    flags |= SERIF if name.startswith(("NimbusRoman", "NimbusMono")) else 0
    flags |= FIXED if name.startswith("NimbusMono") else 0
    return flags | (ITALIC if leaning else 0)


def _own_order(name: str) -> dict[int, str]:
    """Return code and glyph of signs that have an order of their own, from their measures."""
    path = MEASURES / f"{name}.afm"
    if name not in _SYMBOLIC or not path.is_file():
        return {}
    found = _MEASURE.findall(path.read_text("latin-1"))
    return {int(code): glyph for code, glyph in found}


def program(face: Typeface, glyphs: Collection[str]) -> bytes:
    """Return a bare CFF font program with just these glyphs of `face`, under their names."""
    options = subset.Options()
    options.glyph_names = True
    options.layout_features = []
    options.notdef_outline = True
    options.hinting = False
    options.desubroutinize = True
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "FFTM", "kern"]
    with TTFont(face.path) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(glyphs=sorted(set(glyphs) | {".notdef"}))
        subsetter.subset(font)
        top = font["CFF "].cff
        top.topDictIndex[0].Encoding = "StandardEncoding"
        stream = io.BytesIO()
        top.compile(stream, font)
        return stream.getvalue()
