"""Optional content that all shows becomes plain content; PDF/A validators know no layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream

_BEGIN: Final = frozenset({"BMC", "BDC"})
_END: Final = "EMC"
_MARK: Final = b"/OC"
#: Kinds of property lists that only switch layers.
_GROUPS: Final = frozenset({"/OCG", "/OCMD"})


def drop(pdf: Pdf) -> None:
    """Drop optional content where every layer shows; else it stays and no validator passes it."""
    if not _all_show(pdf.Root.get(Name.OCProperties)):
        return
    del pdf.Root[Name.OCProperties]
    for page in pdf.pages:
        page.contents_coalesce()
        content = page.obj.get(Name.Contents)
        if isinstance(content, Stream) and _MARK in content.read_bytes():
            page.obj[Name.Contents] = pdf.make_stream(_unmarked(content))
    for item in pdf.objects:
        if isinstance(item, Dictionary | Stream):
            _plain(item)


def _all_show(properties: Any) -> bool:
    setting = properties.get(Name.D) if isinstance(properties, Dictionary) else None
    if not isinstance(setting, Dictionary):
        return False
    hidden = setting.get(Name.OFF)
    some = isinstance(hidden, Array) and len(hidden) > 0
    return setting.get(Name.BaseState, Name.ON) == Name.ON and not some


def _plain(item: Any) -> None:
    """Make a form, or resources, know no layers."""
    is_form = isinstance(item, Stream) and item.get(Name.Subtype) == Name.Form
    if is_form and _MARK in item.read_bytes():
        item.write(_unmarked(item))
    _take_groups(item)
    _take_groups(item.get(Name.Resources))
    if Name.OC in item:
        del item[Name.OC]


def _take_groups(resources: Any) -> None:
    """Take the layers out of the property lists."""
    listed = resources.get(Name.Properties) if isinstance(resources, Dictionary) else None
    if not isinstance(listed, Dictionary):
        return
    for key in listed.keys():  # noqa: SIM118 - no iteration over a dictionary object
        if isinstance(listed[key], Dictionary) and str(listed[key].get(Name.Type)) in _GROUPS:
            del listed[key]
    if not len(listed):
        del resources[Name.Properties]


def _unmarked(content: Any) -> bytes:
    """Return the content without the marks that begin and end optional content."""
    kept = list(_kept(pikepdf.parse_content_stream(content)))
    return pikepdf.unparse_content_stream(kept)


def _kept(instructions: Any) -> Iterator[Any]:
    optional: list[bool] = []
    for instruction in instructions:
        operator = str(instruction.operator)
        if operator in _BEGIN:
            optional.append(operator == "BDC" and instruction.operands[0] == Name.OC)
            if optional[-1]:
                continue
        elif operator == _END and optional and optional.pop():
            continue
        yield instruction
