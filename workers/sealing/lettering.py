"""Letters of a visible seal: the used part of a font, embedded as PDF/A asks for it.

pyHanko can embed OpenType fonts by fontTools, which takes sixteen megabytes of the child that
seals, a sixth of what it may have. HarfBuzz cuts the same part out in less than one.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uharfbuzz
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.font import FontEngine, FontEngineFactory
from pyhanko.pdf_utils.font.api import ShapeResult
from pyhanko.pdf_utils.generic import pdf_name
from typing_extensions import override

if TYPE_CHECKING:
    from pyhanko.pdf_utils.generic import NameObject, PdfObject


_PDF: Final[Any] = generic  #: objects of a PDF; pyHanko annotates how they are made in part
_THOUSANDTHS: Final = 1000  #: of the em, as PDF counts
_UNUSED: Final = (
    b"FFTM",
    b"GDEF",
    b"GPOS",
    b"GSUB",
    b"MATH",
    b"gasp",
    b"kern",
)  #: large, and not drawn
_POSTSCRIPT_NAME: Final = 6  #: in a font's table of names
_BOX: Final = struct.Struct(">4h")
_BOX_AT: Final = 36  #: in the table `head` (OpenType, 5.2.2)
_SYMBOLIC: Final = 4  #: its letters are found by number, not by a standard alphabet
_STEM: Final = 80  #: thickness of upright strokes; no font says it, nobody draws by it
_TO_UNICODE: Final = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <ffff>
endcodespacerange
{count} beginbfchar
{lines}
endbfchar
endcmap
CMapName currentdict /CMap defineresource pop
end
end"""


class Lettering(FontEngineFactory):
    """The part of a font that some text needs.

    Attributes:
        text: What it can set: what the font does not have is a question mark.
    """

    def __init__(self, path: Path, text: str) -> None:
        """Cut the part out that `text` needs, at most a hundred different letters."""
        whole = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(path)))
        known = whole.unicodes
        self.text = "".join(c if c == "\n" or ord(c) in known else "?" for c in text)
        self._letters = "".join(sorted(set(self.text) - {"\n"}))
        self._content = _cut(whole, self._letters)

    @override
    def create_font_engine(self, writer: Any, obj_stream: Any = None) -> _Letters:
        return _Letters(writer, self._content, self._letters)


def _cut(whole: uharfbuzz.Face, letters: str) -> bytes:
    wanted = uharfbuzz.SubsetInput()
    wanted.unicode_set.update(map(ord, letters))
    wanted.drop_table_tag_set.update(int.from_bytes(tag, "big") for tag in _UNUSED)
    flags = uharfbuzz.SubsetFlags
    wanted.flags = flags.NO_HINTING | flags.NOTDEF_OUTLINE | flags.NO_LAYOUT_CLOSURE
    content: bytes = uharfbuzz.subset(whole, wanted).blob.data
    return content


class _Letters(FontEngine):
    """Sets text letter by letter, without kerning: widths are those of the font."""

    def __init__(self, writer: Any, content: bytes, letters: str) -> None:
        self._content = content
        self._face = uharfbuzz.Face(content)
        self._font = uharfbuzz.Font(self._face)
        self._glyphs = {
            letter: int(self._font.get_nominal_glyph(ord(letter))) for letter in letters
        }
        self._name = self._face.get_name(_POSTSCRIPT_NAME) or "Lettering"
        super().__init__(writer, self._name, embedded_subset=True)

    @property
    @override
    def uses_complex_positioning(self) -> bool:
        return False

    @override
    def shape(self, txt: str) -> ShapeResult:
        glyphs = [self._glyphs[letter] for letter in txt]
        drawn = "".join(f"{glyph:04x}" for glyph in glyphs)
        width = sum(map(self._width, glyphs)) / _THOUSANDTHS
        return ShapeResult(f"<{drawn}> Tj".encode("ascii"), width, 0)

    def _width(self, glyph: int) -> int:
        return round(self._thousandths(self._font.get_glyph_h_advance(glyph)))

    def _thousandths(self, units: float) -> float:
        return units * _THOUSANDTHS / int(self._face.upem)

    @override
    def as_resource(self) -> PdfObject:
        # made of what is drawn, so that the same seal is drawn by the same bytes
        prefix = "".join(chr(ord("A") + one % 26) for one in hashlib.sha256(self._content).digest())
        name = pdf_name(f"/{prefix[:6]}+{self._name}")
        return self._added(
            {
                "/Type": pdf_name("/Font"),
                "/Subtype": pdf_name("/Type0"),
                "/BaseFont": name,
                "/Encoding": pdf_name("/Identity-H"),
                "/DescendantFonts": _PDF.ArrayObject([self._descendant(name)]),
                "/ToUnicode": self._stream(self._to_unicode()),
            }
        )

    def _descendant(self, name: NameObject) -> PdfObject:
        said = {"/Registry": "Adobe", "/Ordering": "Identity"}
        system = {pdf_name(key): _PDF.TextStringObject(text) for key, text in said.items()}
        system[pdf_name("/Supplement")] = _PDF.NumberObject(0)
        widths = [self._width(glyph) for glyph in range(self._face.glyph_count)]
        return self._added(
            {
                "/Type": pdf_name("/Font"),
                "/Subtype": pdf_name("/CIDFontType2"),
                "/BaseFont": name,
                "/CIDSystemInfo": _PDF.DictionaryObject(system),
                "/CIDToGIDMap": pdf_name("/Identity"),
                "/FontDescriptor": self._descriptor(name),
                "/W": _PDF.ArrayObject([_PDF.NumberObject(0), _numbers(widths)]),
            }
        )

    def _descriptor(self, name: NameObject) -> PdfObject:
        box = _BOX.unpack_from(self._face.reference_table("head").data, _BOX_AT)
        extents = self._font.get_font_extents("ltr")
        above, below = (round(self._thousandths(one)) for one in extents[:2])
        return self._added(
            {
                "/Type": pdf_name("/FontDescriptor"),
                "/FontName": name,
                "/Flags": _PDF.NumberObject(_SYMBOLIC),
                "/FontBBox": _numbers([round(self._thousandths(one)) for one in box]),
                "/ItalicAngle": _PDF.NumberObject(0),
                "/Ascent": _PDF.NumberObject(above),
                "/Descent": _PDF.NumberObject(below),
                "/CapHeight": _PDF.NumberObject(above),
                "/StemV": _PDF.NumberObject(_STEM),
                "/FontFile2": self._stream(self._content, length=True),
            }
        )

    def _to_unicode(self) -> bytes:
        lines = [
            f"<{glyph:04x}> <{letter.encode('utf-16-be').hex()}>"
            for letter, glyph in sorted(self._glyphs.items(), key=lambda pair: pair[1])
        ]
        return _TO_UNICODE.format(count=len(lines), lines="\n".join(lines)).encode("ascii")

    def _added(self, entries: dict[str, PdfObject]) -> PdfObject:
        named = {pdf_name(key): value for key, value in entries.items()}
        added: PdfObject = self.writer.add_object(_PDF.DictionaryObject(named))
        return added

    def _stream(self, content: bytes, *, length: bool = False) -> PdfObject:
        stream = _PDF.StreamObject(stream_data=content)
        if length:
            stream[pdf_name("/Length1")] = _PDF.NumberObject(len(content))
        stream.compress()
        added: PdfObject = self.writer.add_object(stream)
        return added


def _numbers(values: list[int]) -> PdfObject:
    made: PdfObject = _PDF.ArrayObject([_PDF.NumberObject(value) for value in values])
    return made
