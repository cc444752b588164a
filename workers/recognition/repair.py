"""Taking out of a foreign PDF what PDF/A does not allow and a reader of the page does not miss.

Nothing here changes how a page looks: forms are flattened with the values they show, layers are
dropped only where all of them are visible, files inside stay inside. What is lost for the copy
(scripts, actions, signatures) is named as a finding, in German, because a clerk reads it; the
original beside the copy still has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from workers.recognition import layers
from workers.recognition.forms import annotations_of, flatten, is_signed, keep_annotations

Finding = dict[str, str]

_TRAILER: Final = frozenset({"/Root", "/Info", "/ID", "/Size", "/Prev", "/Type", "/W", "/Index"})
_CATALOG: Final = frozenset(
    {
        *("/Type", "/Pages", "/Metadata", "/OutputIntents", "/Names", "/Dests", "/Outlines"),
        *("/PageMode", "/PageLayout", "/ViewerPreferences", "/MarkInfo", "/StructTreeRoot"),
        *("/Lang", "/AF", "/OCProperties"),
    }
)
_NAMES: Final = frozenset({"/Dests", "/EmbeddedFiles"})
_PAGE: Final = frozenset(
    {
        *("/Type", "/Parent", "/Contents", "/Resources", "/MediaBox", "/CropBox", "/BleedBox"),
        *("/TrimBox", "/ArtBox", "/Rotate", "/Annots", "/Group", "/Metadata", "/UserUnit"),
        *("/StructParents", "/Tabs", "/LastModified"),
    }
)
_PAGE_MODES: Final = frozenset({"/UseNone", "/UseOutlines", "/UseThumbs", "/FullScreen"})
_MARKS: Final = frozenset({"/Marked", "/UserProperties", "/Suspects"})
_ACTIONS: Final = frozenset({"/GoTo", "/GoToR", "/URI", "/Named"})
#: Keys that change nothing on screen and that validators do not know.
_IDLE_IMAGE_KEYS: Final = ("/ImageName", "/PTEX.FileName", "/PTEX.PageNumber", "/PTEX.InfoDict")
_IDLE_FORM_KEYS: Final = ("/ADBE_FillSign", "/PieceInfo", "/LastModified", "/Name")
_IDLE_RESOURCE_KEYS: Final = ("/Encoding",)
_IDLE_STATE_KEYS: Final = ("/HT", "/TR", "/TR2", "/UCR", "/UCR2", "/BG", "/BG2")
#: Annotations that play or carry something; their files are kept as attachments.
_PLAYING: Final = frozenset(
    {
        *("/FileAttachment", "/Sound", "/Movie", "/Screen", "/3D", "/RichMedia"),
        *("/TrapNet", "/PrinterMark"),
    }
)
SIGNATURE_REMOVED: Final = {
    "code": "signature_removed",
    "text": "Kopie ohne Signatur; das Original liegt bei.",
}
_RELATIONS: Final = frozenset({"/Source", "/Data", "/Alternative", "/Supplement", "/Unspecified"})
_MOST_FILES: Final = 1000
_MOST_OUTLINES: Final = 100_000
_CORNERS: Final = 4
#: ISO 32000-1, annex C: no box is smaller, in points.
_SMALLEST: Final = 3


def neutralise(pdf: Pdf, findings: list[Finding]) -> None:
    """Repair `pdf` in memory and add to `findings` what is taken out.

    Raises anything that pikepdf raises on damaged structures; `pdf` is then half repaired and
    not to be used, what was found until then stands in `findings`.
    """
    findings.extend(_judged(pdf))
    flatten(pdf)
    layers.drop(pdf)
    files = _embedded(pdf)
    acting = False
    for page in pdf.pages:
        acting |= _page(page, files)
    acting |= _catalog(pdf)
    _attach(pdf, files)
    _objects(pdf)
    for key in [key for key in pdf.trailer.keys() if key not in _TRAILER]:  # noqa: SIM118 - no iteration over a dictionary object
        if key != "/Encrypt":  # left out when saving; needed for reading until then
            del pdf.trailer[key]
    if acting:
        text = "Skripte oder Aktionen sind in der Kopie entfernt; das Original enthält sie."
        findings.append({"code": "actions_removed", "text": text})


def _judged(pdf: Pdf) -> list[Finding]:
    """Name what a reader must know before trusting what the page shows."""
    form = pdf.Root.get(Name.AcroForm)
    found: list[Finding] = []
    if Name.NeedsRendering in pdf.Root or (isinstance(form, Dictionary) and Name.XFA in form):
        text = (
            "XFA-Formular: Die Seiten zeigen womöglich nur einen Platzhalter. Bitte das"
            " Original in einem Programm öffnen, das XFA beherrscht."
        )
        found.append({"code": "xfa", "text": text})
    if Name.Collection in pdf.Root:
        text = "PDF-Portfolio: Die eigentlichen Dokumente stehen in den Anlagen."
        found.append({"code": "portfolio", "text": text})
    if isinstance(form, Dictionary) and is_signed(form.get(Name.Fields)):
        found.append(dict(SIGNATURE_REMOVED))
    if pdf.is_encrypted:
        text = "Nutzungsbeschränkungen des Originals sind in der Kopie aufgehoben."
        found.append({"code": "restrictions_removed", "text": text})
    return found


def _page(page: pikepdf.Page, files: list[tuple[str, Object]]) -> bool:
    """Clean one page; collect files of its annotations. True if an action was taken out."""
    acting = Name.AA in page.obj
    for key in [key for key in page.obj.keys() if key not in _PAGE]:  # noqa: SIM118 - as above
        del page.obj[key]
    for box in (Name.ArtBox, Name.BleedBox, Name.TrimBox):
        if box in page.obj and _is_flat(page.obj[box]):
            del page.obj[box]
    for annotation in annotations_of(page):
        if annotation.get(Name.Subtype) == Name.FileAttachment:
            _collect(annotation.get(Name.FS), "Anlage", files)
        _associated(annotation, files)
        acting |= _tame(annotation)
    keep_annotations(page, without=_PLAYING)
    return acting


def _is_flat(box: object) -> bool:
    if not isinstance(box, Array) or len(box) != _CORNERS:
        return True
    left, bottom, right, top = (float(side) for side in box)
    return min(abs(right - left), abs(top - bottom)) < _SMALLEST


def _tame(holder: Dictionary) -> bool:
    acting = False
    for key in (Name.AA, Name.A, Name.PA):
        action = holder.get(key)
        if action is None:
            continue
        if key == Name.AA or not _harmless(action):
            del holder[key]
            acting = True
    return acting


def _harmless(action: object) -> bool:
    if not isinstance(action, Dictionary) or Name.Next in action:
        return False
    return str(action.get(Name.S)) in _ACTIONS


def _catalog(pdf: Pdf) -> bool:
    opening = pdf.Root.get(Name.OpenAction)
    acting = Name.AA in pdf.Root or (
        isinstance(opening, Dictionary) and str(opening.get(Name.S)) not in _ACTIONS
    )
    names = pdf.Root.get(Name.Names)
    if isinstance(names, Dictionary):
        acting |= Name.JavaScript in names
        for key in [key for key in names.keys() if key not in _NAMES]:  # noqa: SIM118 - as above
            del names[key]
    for key in [key for key in pdf.Root.keys() if key not in _CATALOG]:  # noqa: SIM118 - as above
        del pdf.Root[key]
    if str(pdf.Root.get(Name.PageMode, "/UseNone")) not in _PAGE_MODES:
        pdf.Root[Name.PageMode] = Name.UseNone
    marks = pdf.Root.get(Name.MarkInfo)
    if isinstance(marks, Dictionary):
        for key in [key for key in marks.keys() if key not in _MARKS]:  # noqa: SIM118 - as above
            del marks[key]
    _outlines(pdf.Root.get(Name.Outlines))
    return acting


def _outlines(item: object) -> None:
    """Take actions that are not mere jumps out of the table of contents."""
    seen = 0
    pending = [item]
    while pending and seen < _MOST_OUTLINES:
        entry = pending.pop()
        if not isinstance(entry, Dictionary):
            continue
        seen += 1
        if Name.SE in entry:
            del entry[Name.SE]
        if Name.A in entry and not _harmless(entry.A):
            del entry[Name.A]
        pending.extend(entry.get(key) for key in (Name.First, Name.Next) if key in entry)


def _embedded(pdf: Pdf) -> list[tuple[str, Object]]:
    """List the embedded files by name, without reading them."""
    files: list[tuple[str, Object]] = []
    names = pdf.Root.get(Name.Names)
    tree = names.get(Name.EmbeddedFiles) if isinstance(names, Dictionary) else None
    if isinstance(tree, Dictionary):
        for name, spec in pikepdf.NameTree(tree).items():
            _collect(spec, str(name), files)
    listed = pdf.Root.get(Name.AF)
    if isinstance(listed, Array):
        for spec in listed:
            _collect(spec, "Anlage", files)
    return files


def _associated(holder: Dictionary, files: list[tuple[str, Object]]) -> None:
    """Let files that are associated with a part of the document be the document's."""
    listed = holder.get(Name.AF)
    if isinstance(listed, Array):
        for spec in listed:
            _collect(spec, "Anlage", files)
    if listed is not None:
        del holder[Name.AF]


def _collect(spec: object, name: str, files: list[tuple[str, Object]]) -> None:
    if not isinstance(spec, Dictionary) or len(files) >= _MOST_FILES:
        return
    holder = spec.get(Name.EF)
    if not isinstance(holder, Dictionary):
        return
    stream = holder.get(Name.UF, holder.get(Name.F))
    if not isinstance(stream, Stream):
        return
    known = {kept.EF.F.objgen for _, kept in files}
    if stream.objgen in known:
        return
    shown = str(spec.get(Name.UF, spec.get(Name.F, name)))
    relation = str(spec.get(Name.AFRelationship, "/Unspecified"))
    relation = relation if relation in _RELATIONS else "/Unspecified"
    clean = Dictionary(
        Type=Name.Filespec, F=shown, UF=shown, AFRelationship=Name(relation),
        EF=Dictionary(F=stream, UF=stream),
    )  # fmt: skip
    if isinstance(spec.get(Name.Desc), pikepdf.String):
        clean[Name.Desc] = str(spec.Desc)
    files.append((shown, clean))


def _attach(pdf: Pdf, files: list[tuple[str, Object]]) -> None:
    """Write the files back as PDF/A-3 wants them: in the name tree and as associated files."""
    names = pdf.Root.get(Name.Names)
    for key, holder in ((Name.EmbeddedFiles, names), (Name.AF, pdf.Root)):
        if isinstance(holder, Dictionary) and key in holder:
            del holder[key]
    if not files:
        return
    specs = [(name, pdf.make_indirect(spec)) for name, spec in files]
    tree = pikepdf.NameTree.new(pdf)
    for number, (name, spec) in enumerate(specs, start=1):
        tree[name if name not in tree else f"{name} ({number})"] = spec
        stream = spec.EF.F
        kind = str(stream.get(Name.Subtype, "/"))[1:]
        if kind.count("/") != 1 or not kind.replace("/", "").isascii() or " " in kind:
            stream[Name.Subtype] = Name("/application/octet-stream")
    if not isinstance(names, Dictionary):
        pdf.Root[Name.Names] = Dictionary()
    pdf.Root.Names[Name.EmbeddedFiles] = tree.obj
    pdf.Root[Name.AF] = Array([spec for _, spec in specs])


def _objects(pdf: Pdf) -> None:
    drawn = {objgen for item in pdf.objects for objgen in _drawn(item)}
    for item in pdf.objects:
        _own_masks(pdf, item, drawn)
        if isinstance(item, Stream):
            if item.get(Name.Subtype) == Name.Image:
                _drop(item, _IDLE_IMAGE_KEYS)
                _direct(item)
            elif item.get(Name.Subtype) == Name.Form:
                _drop(item, _IDLE_FORM_KEYS)
                _resources(item.get(Name.Resources))
        elif isinstance(item, Dictionary):
            _dictionary(item)


def _drawn(item: Object) -> Iterator[tuple[int, int]]:
    """Yield which objects the resources of `item` let its content draw."""
    own = item.get(Name.Resources) if isinstance(item, Dictionary | Stream) else None
    for place in (item, own):
        named = place.get(Name.XObject) if isinstance(place, Dictionary | Stream) else None
        if isinstance(named, Dictionary):
            for key in named.keys():  # noqa: SIM118 - no iteration over a dictionary object
                yield named[key].objgen


def _own_masks(pdf: Pdf, image: Object, drawn: set[tuple[int, int]]) -> None:
    """Copy a mask that is drawn as well: validators allow an image one use only."""
    if not isinstance(image, Stream):
        return
    for key in (Name.Mask, Name.SMask):
        mask = image.get(key)
        if isinstance(mask, Stream) and mask.objgen in drawn:
            copy = pdf.make_stream(b"")
            for name in mask.keys():  # noqa: SIM118 - no iteration over a dictionary object
                if name not in ("/Length", "/Filter", "/DecodeParms"):
                    copy[name] = mask[name]
            packed: Any = mask.get(Name.Filter)
            unpacked: Any = mask.get(Name.DecodeParms)
            copy.write(mask.read_raw_bytes(), filter=packed, decode_parms=unpacked)
            image[key] = copy


def _direct(image: Stream) -> None:
    """Write numbers that stand in objects of their own where they are used."""
    for key in ("/Width", "/Height", "/BitsPerComponent", "/ImageMask"):
        if key in image:
            image[key] = image[key]
    parameters = image.get(Name.DecodeParms)
    if isinstance(parameters, Dictionary) and parameters.is_indirect:
        image[Name.DecodeParms] = Dictionary(
            {key: parameters[key] for key in parameters.keys()}  # noqa: SIM118 - as above
        )


def _dictionary(item: Dictionary) -> None:
    if item.get(Name.Type) == Name.FontDescriptor:
        _descriptor(item)
    if Name.CIDSystemInfo in item:
        _composite(item)
    descendants = item.get(Name.DescendantFonts)
    if isinstance(descendants, Array):
        for font in descendants:
            if isinstance(font, Dictionary) and Name.CIDSystemInfo in font:
                _composite(font)
    _resources(item.get(Name.Resources))
    _resources(item)
    if item.get(Name.Type) == Name.ExtGState:
        _drop(item, _IDLE_STATE_KEYS)


def _descriptor(item: Dictionary) -> None:
    _drop(item, ("/CIDSet",))  # optional in PDF/A-3, and often wrong
    for key in (Name.FontFile, Name.FontFile2, Name.FontFile3):
        program = item.get(key)
        if isinstance(program, Stream):
            _drop(program, ("/Type",))


def _composite(font: Dictionary) -> None:
    """Write defaults and references out; what they mean does not change."""
    system = font.CIDSystemInfo
    font[Name.CIDSystemInfo] = Dictionary(
        Registry=pikepdf.String(str(system.Registry)),
        Ordering=pikepdf.String(str(system.Ordering)),
        Supplement=int(system.Supplement),
    )
    if font.get(Name.Subtype) == Name.CIDFontType2 and Name.CIDToGIDMap not in font:
        font[Name.CIDToGIDMap] = Name.Identity


def _resources(found: object) -> None:
    if not isinstance(found, Dictionary):
        return
    if Name.Font in found or Name.XObject in found or Name.ProcSet in found:
        _drop(found, _IDLE_RESOURCE_KEYS)
    states = found.get(Name.ExtGState)
    if isinstance(states, Dictionary):
        for key in states.keys():  # noqa: SIM118 - no iteration over a dictionary object
            if isinstance(states[key], Dictionary):
                _drop(states[key], _IDLE_STATE_KEYS)


def _drop(item: Object, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in item:
            del item[key]
