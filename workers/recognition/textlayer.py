"""The invisible text over a page's image: what was recognised, exactly where it stands.

One font serves the whole document. It has a single empty glyph, half an em wide, to which every
code leads; what a code means is said by its ToUnicode map alone. Each word is stretched to its own
box and followed by a real space, so that viewers find, mark and copy whole words. The glyph has no
area, so nothing is ever painted.
"""

from __future__ import annotations

import functools
import io
import unicodedata
from itertools import groupby
from typing import Final

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph
from pikepdf import Array, Dictionary, Name, Object, Pdf

from workers.recognition.words import Box, Line, Words

FONT_NAME: Final = "ScanText"
_BASE_FONT: Final = Name("/ScanstrasseText")
_EM: Final = 1000
_ADVANCE: Final = 500
_ASCENT: Final = 800
_LETTER: Final = 700
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
#: Words whose heights differ by less than this share of their letters stand on one level.
_SAME_HEIGHT: Final = 0.1
#: Gaps between words are multiples of so many thousandths of an em, unless that is more than
#: this in steps; widths are exact to a fiftieth. Fewer different numbers pack better.
_GAP: Final = 20
_EXACT: Final = 4.0
_SCALING: Final = 25
#: Percent.
_WIDEST: Final = 300
#: Characters that tell how a line runs: with fewer, letters may be as high as the line is long.
_TELLING: Final = 4
_UPRIGHT: Final = 1.5
#: 2026-01-01 in seconds since 1904, so that the font is the same on every machine and day.
_FOUNDED: Final = 3_850_070_400


class _Pen:
    """Where viewers stand in the text, and the fewest operators that take them on.

    Words on one level follow one another by the gap between them, which is much alike all over a
    page; a place of its own for each would be the larger half of a dense page's text.
    """

    def __init__(self, height: float) -> None:
        """Stand at the lower left corner of a page of `height`; lengths in steps of a point."""
        self._height = height
        self._begun = 0, 0
        self._at: float | None = None
        self._size = 0
        self._stretch = 0

    def sized(self, size: int) -> list[bytes]:
        """Begin a line of letters of `size`."""
        self._at = None
        if size == self._size:
            return []
        self._size = size
        return [b"/%s %d Tf" % (FONT_NAME.encode("ascii"), size)]

    def word(self, codes: bytes, across: tuple[float, float], down: float) -> bytes:
        """Write a word with the space that belongs to it: pdfium drops single characters.

        Args:
            codes: Of the word and a space, two bytes each.
            across: Where the word begins and ends.
            down: Its baseline below the upper edge of the page.
        """
        begin, end = across
        letters = len(codes) // 2
        stretched = self._stretched(end - begin, letters - 1)
        thousandth = self._size * self._stretch / 100 / _EM
        row, gap, move = round(self._height - down), 0, b""
        if self._at is not None and abs(row - self._begun[1]) <= self._size * _SAME_HEIGHT:
            fine = _GAP if _GAP * thousandth <= _EXACT else 1
            gap = fine * round((self._at - begin) / thousandth / fine)
            start = self._at - gap * thousandth
        else:
            column = round(begin)
            move = b"%d %d Td " % (column - self._begun[0], row - self._begun[1])
            self._begun, start = (column, row), float(column)
        # A rule read as one letter has a space as wide: no gap leads back from there.
        far = self._stretch > _WIDEST
        self._at = None if far else start + letters * _ADVANCE * thousandth
        text = _literal(codes)
        return stretched + move + (b"[%d%s]TJ" % (gap, text) if gap else text + b"Tj")

    def turned(self, codes: bytes, box: Box, scale: tuple[float, float], *, rises: bool) -> bytes:
        """Write a word that runs up or down the page, with its space; `box` is in pixels."""
        across, down = scale
        left, top, right, bottom = box
        stretched = self._stretched((bottom - top) * down, len(codes) // 2 - 1)
        if rises:
            matrix = 0, 1, -1, 0, round(right * across), round(self._height - bottom * down)
        else:
            matrix = 0, -1, 1, 0, round(left * across), round(self._height - top * down)
        return stretched + b"%d %d %d %d %d %d Tm " % matrix + _literal(codes) + b"Tj"

    def level(self) -> bytes:
        """Return to writing across the page."""
        self._begun, self._at = (0, 0), None
        return b"1 0 0 1 0 0 Tm"

    def _stretched(self, wished: float, letters: int) -> bytes:
        stretch = _stretch(wished, letters, self._size)
        changed = stretch != self._stretch
        self._stretch = stretch
        return b"%d Tz " % stretch if changed else b""


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
        scale = _STEPS * width / words.width, _STEPS * height / words.height
        parts = [b"q %g 0 0 %g 0 0 cm BT 3 Tr" % (1 / _STEPS, 1 / _STEPS)]
        pen = _Pen(_STEPS * height)
        for line in words.lines:
            parts += self._line(line, scale, pen)
        parts.append(b"ET Q\n")
        return b"\n".join(parts)

    def _line(self, line: Line, scale: tuple[float, float], pen: _Pen) -> list[bytes]:
        """Return the operators of a line, from where `pen` is to where it leaves it."""
        written = [(plain(word.text), word.box) for word in line.words]
        written = [(text, box) for text, box in written if text]
        if _runs_down(line.box, written):
            return self._upright(written, scale, pen)
        across, down = scale
        left, top, right, bottom = line.box
        slope, lift = line.baseline or (0.0, _BELOW * (bottom - top))
        tall = max(bottom - top - abs(slope) * (right - left), 1.0) * down
        operators = pen.sized(max(round(tall), 1))
        for text, (begin, _, end, _) in written:
            # A word stays level: poppler cuts a word in two where its baseline climbs.
            middle = (begin + end) / 2 - left
            height = (bottom - lift + slope * middle) * down
            ends = begin * across, end * across
            operators.append(pen.word(self._encoded(text + " "), ends, height))
        return operators

    def _upright(
        self, written: list[tuple[str, Box]], scale: tuple[float, float], pen: _Pen
    ) -> list[bytes]:
        """Return the operators of a line in the margin that runs up or down the page."""
        rises = written[-1][1][1] <= written[0][1][1]
        operators: list[bytes] = []
        for text, box in written:
            operators += pen.sized(max(round((box[2] - box[0]) * scale[0]), 1))
            operators.append(pen.turned(self._encoded(text + " "), box, scale, rises=rises))
        return [*operators, pen.level()]

    def _encoded(self, text: str) -> bytes:
        return b"".join(self._code(character).to_bytes(2, "big") for character in text)

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
        moved = sorted((code, text) for text, code in self._codes.items() if ord(text) != code)
        single = [f"<{code:04X}> <{text.encode('utf-16-be').hex()}>" for code, text in moved]
        blocks = [("bfchar", single[at : at + _BLOCK]) for at in range(0, len(single), _BLOCK)]
        # A range may not leave its first byte; most pages have letters of the first two alone.
        plainly = sorted(code for text, code in self._codes.items() if ord(text) == code)
        rows = [list(row) for _, row in groupby(plainly, lambda code: code >> 8)]
        ranges = [f"<{row[0]:04X}> <{row[-1]:04X}> <{row[0]:04X}>" for row in rows]
        blocks += [("bfrange", ranges[at : at + _BLOCK]) for at in range(0, len(ranges), _BLOCK)]
        body = "\n".join(
            f"{len(block)} begin{kind}\n" + "\n".join(block) + f"\nend{kind}"
            for kind, block in blocks
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
    percent = min(max(wished / natural * 100, 1.0), 10_000.0)
    step = max(1, int(percent) // _SCALING)
    return step * round(percent / step)


def _runs_down(box: Box, written: list[tuple[str, Box]]) -> bool:
    left, top, right, bottom = box
    letters = sum(len(text) for text, _ in written)
    return letters >= _TELLING and bottom - top > _UPRIGHT * (right - left)


def _literal(codes: bytes) -> bytes:
    """Return a string of a content stream (ISO 32000-1, 7.3.4.2)."""
    for special in (b"\\", b"(", b")"):
        codes = codes.replace(special, b"\\" + special)
    return b"(" + codes.replace(b"\r", b"\\r") + b")"


def _blank() -> Glyph:
    """Return a glyph without area but with height: by that viewers find and mark a word."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((_ADVANCE, _LETTER))
    pen.closePath()
    return pen.glyph()


@functools.cache
def font_program() -> bytes:
    """Return the TrueType program: `.notdef` and one empty glyph, the same bytes every time."""
    builder = FontBuilder(_EM, isTTF=True)
    builder.setupGlyphOrder([".notdef", "blank"])
    builder.setupCharacterMap({0x20: "blank"})
    builder.setupGlyf({".notdef": Glyph(), "blank": _blank()})
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
