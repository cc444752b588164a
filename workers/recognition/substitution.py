"""Fonts that a PDF only names get a typeface with the same measures, so that its text stays text.

PDF/A wants every font inside the file (ISO 19005-3, 6.2.11.4). Letters with their own place and
width per code can be given by any font of equal widths; viewers do nothing else when they show
such a file. Where widths differ, where a font has an order of its own that nobody knows, and for
fonts with more than one byte a code the page is rendered instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fontTools.agl import UV2AGL
from fontTools.encodings.MacRoman import MacRoman
from fontTools.encodings.StandardEncoding import StandardEncoding
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from workers.recognition.typefaces import Typeface, program, typeface_for

Finding = dict[str, str]

_SIMPLE: Final = frozenset({"/Type1", "/MMType1", "/TrueType"})
_PROGRAMS: Final = ("/FontFile", "/FontFile2", "/FontFile3")
_NOTDEF: Final = ".notdef"
_CODES: Final = 256
_FIRST_CODE: Final = 32
#: ISO 32000-1, 9.2.4: widths in thousandths; ISO 19005-3, 6.2.11.5 allows one.
_TOLERANCE: Final = 1.0
#: Keys behind which something is drawn. Parents are not among them.
_DRAWING: Final = (
    *("/Resources", "/Font", "/XObject", "/Pattern", "/ExtGState", "/Annots", "/AP", "/N"),
    *("/SMask", "/G", "/CharProcs"),
)
FONTS_REPLACED: Final = "fonts_replaced"
_NO_BREAK_SPACE, _SOFT_HYPHEN = 0xA0, 0xAD
#: Names of the same glyph that the typefaces do not know.
_SAME: Final = {"nbspace": "space", "nonbreakingspace": "space", "sfthyphen": "hyphen"}
_STEM: Final = 80


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """A font of the PDF and what is to stand for it: the typeface, and its glyph for each code."""

    font: Any
    face: Typeface
    glyphs: dict[int, str]


def replacements(pdf: Pdf) -> list[Replacement]:
    """Return the fonts on the pages of `pdf` that are only named and for which something can stand.

    Nothing is changed.
    """
    return [found for font in _fonts(pdf) if (found := _choice(font)) is not None]


def write_widths(chosen: list[Replacement]) -> None:
    """Write down the widths of standard fonts where the PDF relies on everybody knowing them.

    ISO 32000-1, 9.6.2.2 lets them be left out; viewers then use those of the font they have at
    hand, which for single signs (Euro) are others.
    """
    for one in chosen:
        if Name.Widths not in one.font:
            first, last, widths = _widths(one)
            one.font[Name.FirstChar], one.font[Name.LastChar] = first, last
            one.font[Name.Widths] = Array(widths)


def embed(pdf: Pdf, chosen: list[Replacement]) -> Finding:
    """Let the typefaces stand for the fonts, in memory; return what a reader is told."""
    wanted: dict[str, set[str]] = {}
    for one in chosen:
        wanted.setdefault(one.face.name, set()).update(one.glyphs.values())
    faces = {one.face.name: one.face for one in chosen}
    descriptors = {name: _descriptor(pdf, face, wanted[name]) for name, face in faces.items()}
    names = {str(one.font.BaseFont)[1:]: one.face.name for one in chosen}
    for one in chosen:
        _replace(one, descriptors[one.face.name])
    listed = ", ".join(f"{old} durch {new}" for old, new in sorted(names.items()))
    text = f"Nicht eingebettete Schriften sind in der Kopie maßgleich ersetzt: {listed}."
    return {"code": FONTS_REPLACED, "text": text}


def _fonts(pdf: Pdf) -> Iterator[Any]:
    """Yield every simple font that something on a page may use, each once."""
    seen: set[tuple[int, int]] = set()
    pending: list[Any] = [page.obj for page in pdf.pages]
    while pending:
        holder = pending.pop()
        if holder.is_indirect:
            if holder.objgen in seen:
                continue
            seen.add(holder.objgen)
        if str(holder.get(Name.Subtype)) in _SIMPLE and Name.BaseFont in holder:
            yield holder
            continue
        pending.extend(_below(holder))


def _below(holder: Any) -> Iterator[Any]:
    """Yield what `holder` draws with: resources, forms, patterns, fonts, looks of annotations."""
    for key in _DRAWING:
        inner = holder.get(key)
        if isinstance(inner, Array):
            yield from (entry for entry in inner if isinstance(entry, Dictionary | Stream))
        elif isinstance(inner, Stream):
            yield inner
        elif isinstance(inner, Dictionary):
            yield inner
            for name in inner.keys():  # noqa: SIM118 - no iteration over a dictionary object
                if isinstance(inner[name], Dictionary | Stream):
                    yield inner[name]


def _choice(font: Any) -> Replacement | None:
    """Return what can stand for `font`, None if it is inside already or nothing can."""
    descriptor = font.get(Name.FontDescriptor)
    if isinstance(descriptor, Dictionary) and any(key in descriptor for key in _PROGRAMS):
        return None
    face = typeface_for(str(font.BaseFont)[1:])
    if face is None:
        return None
    names = _names(font.get(Name.Encoding), face)
    if names is None:
        return None
    glyphs = {code: name for code, name in names.items() if name in face.widths}
    if not glyphs or not _fits(font, face, glyphs):
        return None
    return Replacement(font=font, face=face, glyphs=glyphs)


def _names(encoding: Any, face: Typeface) -> dict[int, str] | None:
    """Return the glyph of each code, None for an encoding that nobody knows."""
    base, differences = encoding, None
    if isinstance(encoding, Dictionary):
        base, differences = encoding.get(Name.BaseEncoding), encoding.get(Name.Differences)
    if base is None:
        names = dict(face.encoding) if face.is_symbolic else _standard()
    elif base in (Name.WinAnsiEncoding, Name.MacRomanEncoding, Name.StandardEncoding):
        names = {
            Name.WinAnsiEncoding: _win_ansi,
            Name.MacRomanEncoding: _mac_roman,
            Name.StandardEncoding: _standard,
        }[base]()
    else:
        return None
    if isinstance(differences, Array):
        names |= _differing(differences)
    return {code: _SAME.get(name, name) for code, name in names.items()}


def _differing(differences: Array) -> dict[int, str]:
    names: dict[int, str] = {}
    code = 0
    for entry in differences:
        if isinstance(entry, Name):
            names[code] = str(entry)[1:]
            code += 1
        else:
            code = int(entry)
    return {code: name for code, name in names.items() if 0 <= code < _CODES}


def _standard() -> dict[int, str]:
    return {code: name for code, name in enumerate(StandardEncoding) if name != _NOTDEF}


def _mac_roman() -> dict[int, str]:
    found = {code: name for code, name in enumerate(MacRoman) if name != _NOTDEF}
    return {code: name for code, name in found.items() if code >= _FIRST_CODE}


def _win_ansi() -> dict[int, str]:
    """Return Windows code page 1252 as PDF uses it (ISO 32000-1, annex D.2)."""
    names = {}
    for code in range(_FIRST_CODE, _CODES):
        try:
            character = ord(bytes([code]).decode("cp1252"))
        except UnicodeDecodeError:
            character = ord("•")
        names[code] = UV2AGL.get(character, _NOTDEF)
    names[0x7F] = UV2AGL[ord("•")]
    names[_NO_BREAK_SPACE], names[_SOFT_HYPHEN] = "space", "hyphen"
    return names


def _fits(font: Any, face: Typeface, glyphs: dict[int, str]) -> bool:
    """Whether the widths that the PDF gives, if it does, are those of the typeface."""
    widths, first = font.get(Name.Widths), font.get(Name.FirstChar)
    if not isinstance(widths, Array) or first is None:
        return True
    given = {int(first) + place: float(width) for place, width in enumerate(widths)}
    wrong = [
        code
        for code, name in glyphs.items()
        if given.get(code) and abs(given[code] - face.widths[name]) > _TOLERANCE
    ]
    for code in wrong:  # a code that is not shown may have any width; one that is, fails later
        del glyphs[code]
    return len(wrong) <= len(glyphs)


def _replace(one: Replacement, descriptor: Object) -> None:
    font, codes = one.font, sorted(one.glyphs)
    differences: list[Any] = []
    previous = None
    for code in codes:
        if previous is None or code != previous + 1:
            differences.append(code)
        differences.append(Name(f"/{one.glyphs[code]}"))
        previous = code
    first, last, widths = _widths(one)
    kept = font.get(Name.ToUnicode)
    for key in list(font.keys()):
        del font[key]
    font[Name.Type], font[Name.Subtype] = Name.Font, Name.Type1
    font[Name.BaseFont] = descriptor.FontName
    font[Name.Encoding] = Dictionary(Type=Name.Encoding, Differences=Array(differences))
    font[Name.FirstChar], font[Name.LastChar], font[Name.Widths] = first, last, Array(widths)
    font[Name.FontDescriptor] = descriptor
    if isinstance(kept, Stream):
        font[Name.ToUnicode] = kept


def _widths(one: Replacement) -> tuple[int, int, list[int]]:
    first, last = min(one.glyphs), max(one.glyphs)
    known = {code: one.face.widths[name] for code, name in one.glyphs.items()}
    return first, last, [known.get(code, 0) for code in range(first, last + 1)]


def _descriptor(pdf: Pdf, face: Typeface, glyphs: set[str]) -> Object:
    content = program(face, glyphs)
    tag = "".join(chr(ord("A") + byte % 26) for byte in hashlib.sha256(content).digest()[:6])
    return pdf.make_indirect(
        Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name(f"/{tag}+{face.name}"),
            Flags=face.flags,
            FontBBox=Array(face.box),
            ItalicAngle=face.italic_angle,
            Ascent=face.ascent,
            Descent=face.descent,
            CapHeight=face.capital,
            StemV=_STEM,
            FontFile3=pdf.make_stream(content, Subtype=Name.Type1C),
        )
    )
