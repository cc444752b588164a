"""The invisible text over a page's image: what was recognised, exactly where it stands.

One font serves the whole document. It has a single empty glyph, half an em wide, to which every
code leads; what a code means is said by its ToUnicode map alone. Each word is stretched to its own
box and followed by a real space, so that searching, marking and copying work in any viewer without
guessing at gaps.
"""

from __future__ import annotations

import functools
import io
import unicodedata
from typing import Final

from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph
from pikepdf import Array, Dictionary, Name, Object, Pdf

from workers.recognition.words import Line, Words

FONT_NAME: Final = "ScanText"
_BASE_FONT: Final = Name("/ScanstrasseText")
_EM: Final = 1000
_ADVANCE: Final = 500
_ASCENT: Final = 800
_DESCENT: Final = -200
#: Where a line names no baseline, the share of its height that is below it.
_BELOW: Final = 0.2
#: Codes for characters that do not fit into two bytes; the area has no characters of its own.
_PRIVATE: Final = range(0xE000, 0xF900)
_LIGATURES: Final = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
_LARGEST: Final = 0xFFFF
_BLOCK: Final = 100
#: Places are whole numbers of this part of a point: 0.035 mm, finer than any scan.
_STEPS: Final = 10
#: 2026-01-01 in seconds since 1904, so that the font is the same on every machine and day.
_FOUNDED: Final = 3_850_070_400


class TextLayer:
    """The text of one document: content streams per page, then the font that they share."""

    def __init__(self) -> None:
        """Start without any character."""
        self._codes: dict[str, int] = {}
        self._beyond = 0

    def content(self, words: Words, width: float, height: float) -> bytes:
        """Return the page content that writes `words` invisibly.

        Args:
            words: In pixels of the upright page.
            width: Width of the page as shown, in points.
            height: Height of the page as shown, in points.
        """
        if not words.lines or not words.width or not words.height:
            return b""
        scale = _STEPS * width / words.width, _STEPS * height / words.height, _STEPS * height
        parts = [f"q {1 / _STEPS} 0 0 {1 / _STEPS} 0 0 cm BT 3 Tr"]
        pen = 0, 0
        for line in words.lines:
            operators, pen = self._line(line, scale, pen)
            parts += operators
        parts.append("ET Q\n")
        return "\n".join(parts).encode("ascii")

    def _line(
        self, line: Line, scale: tuple[float, float, float], pen: tuple[int, int]
    ) -> tuple[list[str], tuple[int, int]]:
        """Return the operators of a line and where they leave the pen, in tenths of a point."""
        across, down, height = scale
        left, top, right, bottom = line.box
        slope, lift = line.baseline or (0.0, _BELOW * (bottom - top))
        tall = max(bottom - top - abs(slope) * (right - left), 1.0) * down
        size = max(round(tall), 1)
        operators = [f"/{FONT_NAME} {size} Tf"]
        space = self._encoded(" ")
        for word in line.words:
            text = plain(word.text)
            if not text:
                continue
            begin, _, end, _ = word.box
            # A word stays level: poppler cuts a word in two where its baseline climbs.
            middle = (begin + end) / 2 - left
            place = round(begin * across), round(height - (bottom - lift + slope * middle) * down)
            stretch = _stretch((end - begin) * across, len(text), size)
            # Whole numbers and steps from word to word pack to two thirds of absolute places.
            # The space belongs to the word: pdfium drops text objects of a single character.
            step = f"{place[0] - pen[0]} {place[1] - pen[1]} Td"
            operators.append(f"{stretch} Tz {step} <{self._encoded(text)}{space}> Tj")
            pen = place
        return operators, pen

    def _encoded(self, text: str) -> str:
        return "".join(f"{self._code(character):04X}" for character in text)

    def _code(self, character: str) -> int:
        code = self._codes.get(character)
        if code is None:
            code = ord(character)
            if code > _LARGEST or code in _PRIVATE:
                code = _PRIVATE[self._beyond % len(_PRIVATE)]
                self._beyond += 1
            self._codes[character] = code
        return code

    def font(self, pdf: Pdf) -> Object:
        """Add the font to `pdf`: call it after the last page's content was made."""
        largest = max(self._codes.values(), default=0)
        program = pdf.make_stream(font_program(), Length1=len(font_program()))
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=_BASE_FONT,
            Flags=4,
            FontBBox=Array([0, _DESCENT, _ADVANCE, _ASCENT]),
            ItalicAngle=0,
            Ascent=_ASCENT,
            Descent=_DESCENT,
            CapHeight=_ASCENT,
            StemV=80,
            FontFile2=program,
        )
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=_BASE_FONT,
            CIDSystemInfo=Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
            FontDescriptor=pdf.make_indirect(descriptor),
            DW=_ADVANCE,
            CIDToGIDMap=pdf.make_stream(b"\x00\x01" * (largest + 1)),
        )
        return pdf.make_indirect(
            Dictionary(
                Type=Name.Font,
                Subtype=Name.Type0,
                BaseFont=_BASE_FONT,
                Encoding=Name("/Identity-H"),
                DescendantFonts=Array([pdf.make_indirect(descendant)]),
                ToUnicode=pdf.make_stream(self._meanings()),
            )
        )

    def _meanings(self) -> bytes:
        pairs = sorted((code, character) for character, code in self._codes.items())
        rows = [
            f"<{code:04X}> <{character.encode('utf-16-be').hex().upper()}>"
            for code, character in pairs
        ]
        blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
        body = "\n".join(
            f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks
        )
        return _CMAP.replace("BODY", body).encode("ascii")


def plain(text: str) -> str:
    """Return what is written into the text layer: composed, without ligatures and controls."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(
        _LIGATURES.get(character, character)
        for character in composed
        if unicodedata.category(character) not in {"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"}
    )


def _stretch(wished: float, characters: int, size: int) -> int:
    """Return the horizontal scaling in percent; never zero, which would make a word vanish."""
    natural = characters * size * _ADVANCE / _EM
    return round(min(max(wished / natural * 100, 1.0), 10_000.0))


@functools.cache
def font_program() -> bytes:
    """Return the TrueType program: `.notdef` and one empty glyph, the same bytes every time."""
    builder = FontBuilder(_EM, isTTF=True)
    builder.setupGlyphOrder([".notdef", "blank"])
    builder.setupCharacterMap({0x20: "blank"})
    builder.setupGlyf({".notdef": Glyph(), "blank": Glyph()})
    builder.setupHorizontalMetrics({".notdef": (_ADVANCE, 0), "blank": (_ADVANCE, 0)})
    builder.setupHorizontalHeader(ascent=_ASCENT, descent=_DESCENT)
    builder.setupNameTable({"familyName": "ScanstrasseText", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=_ASCENT, sTypoDescender=_DESCENT, usWinAscent=_ASCENT)
    builder.setupPost()
    builder.updateHead(created=_FOUNDED, modified=_FOUNDED)
    builder.font.recalcTimestamp = False
    target = io.BytesIO()
    builder.save(target)
    return target.getvalue()


_CMAP: Final = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
BODY
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""
