"""Forms become part of the page: fields show in the copy what they show in the original."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from workers.recognition.typefaces import typeface_for

_DEEPEST_FIELD: Final = 16
_FONT_SET: Final = re.compile(rb"/([^\s/\[\]()<>{}%]+)\s+[-+.\d]+\s+Tf\b")
#: Appearances longer than this are drawings; their fonts are not looked for.
_LONGEST: Final = 256 * 1024


def flatten(pdf: Pdf) -> None:
    """Draw all fields and annotations that have a look of their own into the pages of `pdf`."""
    form = pdf.Root.get(Name.AcroForm)
    if not isinstance(form, Dictionary):
        return
    if bool(form.get(Name.NeedAppearances, False)) or _lacks_appearance(pdf):
        pdf.generate_appearance_streams()
        form[Name.NeedAppearances] = False
    shared = form.get(Name.DR)
    if not isinstance(shared, Dictionary):
        form[Name.DR] = shared = Dictionary()
    for appearance in _appearances(pdf):
        _complete(appearance, shared)
    for key in shared.keys():  # noqa: SIM118 - no iteration over a dictionary object
        if key != "/Font":  # qpdf merges what is shared into each look, and cannot copy streams
            del shared[key]
    pdf.flatten_annotations("all")
    for page in pdf.pages:
        keep_annotations(page, without=frozenset({"/Widget"}))


def is_signed(fields: object, depth: int = 0) -> bool:
    """Whether a field, or one below it, holds a signature."""
    if not isinstance(fields, Array) or depth > _DEEPEST_FIELD:
        return False
    for field in fields:
        if not isinstance(field, Dictionary):
            continue
        if field.get(Name.FT) == Name.Sig and Name.V in field:
            return True
        if is_signed(field.get(Name.Kids), depth + 1):
            return True
    return False


def annotations_of(page: pikepdf.Page) -> list[Dictionary]:
    """Return the annotations of a page that are some."""
    listed = page.obj.get(Name.Annots)
    if not isinstance(listed, Array):
        return []
    return [item for item in listed if isinstance(item, Dictionary)]


def keep_annotations(page: pikepdf.Page, *, without: frozenset[str]) -> None:
    """Take annotations of some subtypes off a page."""
    if Name.Annots not in page.obj:
        return
    kept = [item for item in annotations_of(page) if str(item.get(Name.Subtype)) not in without]
    if kept:
        page.obj[Name.Annots] = Array(kept)
    else:
        del page.obj[Name.Annots]


def _lacks_appearance(pdf: Pdf) -> bool:
    return any(
        annotation.get(Name.Subtype) == Name.Widget
        and Name.AP not in annotation
        and (Name.V in annotation or Name.Parent in annotation)
        for page in pdf.pages
        for annotation in annotations_of(page)
    )


def _appearances(pdf: Pdf) -> Iterator[Any]:
    for page in pdf.pages:
        for annotation in annotations_of(page):
            look = annotation.get(Name.AP)
            normal = look.get(Name.N) if isinstance(look, Dictionary) else None
            if isinstance(normal, Stream):
                yield normal
            elif isinstance(normal, Dictionary):
                for key in normal.keys():  # noqa: SIM118 - no iteration over a dictionary object
                    if isinstance(normal[key], Stream):
                        yield normal[key]


def _complete(appearance: Any, shared: Dictionary) -> None:
    """Give a look the fonts that it names and lacks, as viewers do.

    They stand in the form's resources; some makers write the name of a standard font and leave
    it to the viewer.
    """
    content = appearance.read_bytes()[:_LONGEST]
    names = {f"/{name.decode('latin-1')}" for name in _FONT_SET.findall(content)}
    if not names:
        return
    resources = appearance.get(Name.Resources)
    if not isinstance(resources, Dictionary):
        appearance[Name.Resources] = resources = Dictionary()
    fonts = resources.get(Name.Font)
    known = shared.get(Name.Font)
    if not isinstance(fonts, Dictionary):
        resources[Name.Font] = fonts = Dictionary()
    for name in names:
        if name in fonts:
            continue
        if isinstance(known, Dictionary) and name in known:
            fonts[name] = known[name]
        elif typeface_for(name) is not None:
            fonts[name] = Dictionary(
                Type=Name.Font,
                Subtype=Name.Type1,
                BaseFont=Name(name),
                Encoding=Name.WinAnsiEncoding,
            )
