"""How both notes write what they say: text that XML can carry, times with their offset."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final
from xml.etree import ElementTree as ET

from ingest.document import NOT_RECORDED

#: What XML 1.0 cannot carry at all.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST: Final = 2000


def child(parent: ET.Element, tag: str, text: str | None) -> ET.Element:
    """Append an element with `text`, or with "nicht erfasst" where there is none."""
    element = ET.SubElement(parent, tag)
    element.text = clean(text or "")
    return element


def clean(text: str) -> str:
    """Return `text` as XML can carry it, at most 2000 characters; nothing is "nicht erfasst"."""
    return _NOT_XML.sub("\ufffd", text).strip()[:_LONGEST] or NOT_RECORDED


def bare(name: str) -> str:
    """Return a file's name without folders, whichever system wrote them."""
    return PureWindowsPath(PurePosixPath(name).name).name


def moment(at: dt.datetime | None, zone: dt.tzinfo, unknown: str = NOT_RECORDED) -> str:
    """Return a time in the zone of the house, with its offset (A.NB.4d), or `unknown`."""
    return unknown if at is None else at.astimezone(zone).isoformat(timespec="seconds")


def day_or_moment(at: dt.datetime | None, zone: dt.tzinfo, unknown: str = NOT_RECORDED) -> str:
    """Return a day where no time of the day is known, with its offset; else as `moment`.

    Stamps usually name a day, which is kept as its beginning in the zone of the house.
    """
    if at is None or at.astimezone(zone).time() != dt.time(0):
        return moment(at, zone, unknown)
    day, _, offset = moment(at, zone).partition("T00:00:00")
    return f"{day}{offset}"


def written(root: ET.Element) -> bytes:
    """Return the note as UTF-8 XML, indented for whoever reads it with nothing else."""
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"
