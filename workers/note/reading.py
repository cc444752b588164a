"""A note as people read it: one HTML page in German, made from nothing but the XML.

The page needs no network and no script, is the same for the same note, and says that the XML
is what counts. Headings, table headers and language are set for screen readers; on paper it
prints without colours.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal
from html import escape
from itertools import groupby
from typing import Final
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from ingest.errors import UsageError
from workers.note.labels import FRACTIONS, LABELS, LEADS, SHOWN

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 1rem/1.5 "DejaVu Sans", Arial, sans-serif; color: #1b1b1b; background: #fff;
  max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 1.8rem 0 .4rem; border-bottom: 2px solid #1f4e79; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
.lead { border: 2px solid #1f4e79; padding: .6rem 1rem; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border: 1px solid #8a8a8a; }
th { background: #eef2f6; font-weight: 600; }
th[scope=row] { width: 17rem; }
code { font-family: "DejaVu Sans Mono", monospace; font-size: .85em; overflow-wrap: anywhere; }
ul { margin: .3rem 0; padding-left: 1.4rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
.wide { overflow-x: auto; }
.unknown { color: #595959; font-style: italic; }
footer { margin-top: 2rem; font-size: .9rem; border-top: 1px solid #8a8a8a; padding-top: .5rem; }
@media print { body { max-width: none; padding: 0; font-size: 9.5pt; } th { background: none; }
  h2, caption { break-after: avoid; } tr { break-inside: avoid; } .wide { overflow: visible; } }
"""
_UNKNOWN: Final = frozenset({"nicht erfasst", "entfällt"})
_TRUTH: Final = {"true": "ja", "false": "nein"}
_DIGEST: Final = re.compile("[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DECIMAL: Final = re.compile(r"\d{1,3}(\.\d{1,12})?", re.ASCII)
_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:Z|[+-]\d{2}:\d{2})")
_RESOLUTION: Final = re.compile(r"([0-9.]+)x([0-9.]+)")


class _Part:
    """An element without its namespace."""

    def __init__(self, element: Element) -> None:
        self.tag = element.tag.rpartition("}")[2]
        self.text = (element.text or "").strip()
        self.attributes: dict[str, str] = dict(element.attrib)
        self.children = [_Part(child) for child in element]

    def find(self, path: str) -> str:
        """Return the text at a path, empty where there is none."""
        tag, _, rest = path.partition("/")
        for child in self.children:
            if child.tag == tag:
                return child.find(rest) if rest else child.text
        return ""


def html(xml: bytes) -> bytes:
    """Return a note as a page of HTML in UTF-8: Scanvermerk, Transfervermerk or Ergänzungsvermerk.

    Raises:
        UsageError: `xml` is none of these.
    """
    try:
        root = _Part(fromstring(xml))
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise _unreadable(type(error).__name__) from error
    if root.tag not in LEADS:
        raise _unreadable(root.tag)
    title = root.find("Vermerk/Titel") or root.tag
    page = [
        "<!DOCTYPE html>",
        '<html lang="de">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)} {escape(root.find('Vermerk/Kennung'))}</title>",
        f"<style>{_STYLE}</style></head>",
        f"<body><main><h1>{escape(title)}</h1>",
        *_lead(root),
    ]
    for section in root.children:
        name = escape(_label(section.tag))
        page += [f"<section><h2>{name}</h2>", *_body(section, name, 3), "</section>"]
    digest = hashlib.sha256(xml).hexdigest()
    page += [
        "</main><footer><p>Lesefassung. Maßgeblich ist die XML-Datei des Vermerks, SHA-256 ",
        f"<code>{digest}</code>.</p></footer></body></html>",
    ]
    return ("\n".join(page) + "\n").encode()


def _unreadable(what: str) -> UsageError:
    text = "Die Datei ist kein Vermerk dieser Anlage (Scanvermerk, Transfervermerk)."
    return UsageError(f"no note: {what}", operator_text=text)


def _lead(root: _Part) -> Iterator[str]:
    said = root.find(LEADS[root.tag])
    treatment = root.find("Vermerk/Behandlung")
    yield f'<div class="lead"><p><strong>Behandlung: {escape(treatment)}</strong></p>'
    yield f"<p>{escape(said)}</p></div>"


def _body(section: _Part, name: str, level: int) -> Iterator[str]:
    """Yield what a section holds: its own attributes and texts, lists, and parts of it."""
    rows = [
        (_label(key), _shown(f"{section.tag}/{key}", value))
        for key, value in section.attributes.items()
    ]
    if section.text and not section.children:
        rows.append((name, section.text))
    for tag, group in groupby(section.children, key=lambda child: child.tag):
        members = list(group)
        if _is_row(members):
            rows.append((_label(tag), _shown(tag, members[0].text)))
            continue
        yield from _rows(rows)
        rows = []
        yield from _members(tag, members, level)
    yield from _rows(rows)


def _is_row(members: list[_Part]) -> bool:
    (first, *others) = members
    return not others and not first.children and not first.attributes and bool(first.text)


def _members(tag: str, members: list[_Part], level: int) -> Iterator[str]:
    label = escape(_label(tag))
    if tag == "Keine":
        yield "<p>keine</p>"
    elif members[0].children:
        for member in members:
            yield f"<h{level}>{label}</h{level}>"
            yield from _body(member, label, level + 1)
    elif members[0].attributes:
        yield from _table(tag, label, members)
    else:
        yield "<ul>"
        yield from (f"<li>{_value(member.text)}</li>" for member in members)
        yield "</ul>"


def _table(tag: str, label: str, members: list[_Part]) -> Iterator[str]:
    """Yield elements with attributes as a table, one row each."""
    keys = list(members[0].attributes)
    with_text = any(member.text for member in members)
    heads = [*map(_label, keys), *(["Wert"] if with_text else [])]
    yield f'<div class="wide"><table><caption>{label}</caption><thead><tr>'
    yield "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for member in members:
        cells = [_shown(f"{tag}/{key}", member.attributes.get(key, "")) for key in keys]
        cells += [member.text] if with_text else []
        yield "<tr>" + "".join(f"<td>{_value(cell)}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table></div>"


def _rows(rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield "<table><tbody>"
        for name, value in rows:
            yield f'<tr><th scope="row">{escape(name)}</th><td>{_value(value)}</td></tr>'
        yield "</tbody></table>"


def _label(name: str) -> str:
    return LABELS.get(name, name)


def _shown(where: str, text: str) -> str:
    """Return what a value that programs read is called, and a fraction in per cent.

    Args:
        where: The element, or the element and its attribute.
        text: As the XML has it.
    """
    if where in FRACTIONS and _DECIMAL.fullmatch(text):
        percent = f"{(Decimal(text) * 100).normalize():f}"
        return f"{percent.replace('.', ',')} %"
    return SHOWN.get((where, text), text)


def _value(text: str) -> str:
    if text in _UNKNOWN:
        return f'<span class="unknown">{text}</span>'
    if _DIGEST.fullmatch(text):
        return f"<code>{text}</code>"
    if match := _RESOLUTION.fullmatch(text):
        return f"{match[1]} × {match[2]} dpi"
    return escape(_moment(_TRUTH.get(text, text)))


def _moment(text: str) -> str:
    """Return a time as Germans write it, with its offset, or a day; any other text as it is."""
    if day := _DAY.fullmatch(text):
        return f"{day[3]}.{day[2]}.{day[1]}"
    if "T" not in text:
        return text
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    offset = at.strftime("%z")
    return f"{at:%d.%m.%Y, %H:%M:%S} Uhr (UTC{offset[:3]}:{offset[3:5]})" if offset else text
