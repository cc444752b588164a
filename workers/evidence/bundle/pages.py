"""Pages for people: the note as HTML, and the page that says what a bundle is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from html import escape
from importlib import resources
from string import Template
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element

from ingest.document import Facts

_TEMPLATE: Final = "liesmich.html"
_UMLAUTS: Final = MappingProxyType(
    {"ae": "ä", "oe": "ö", "ue": "ü", "Ae": "Ä", "Oe": "Ö", "Ue": "Ü"}
)
#: Not in "Quelle" and not in "neue".
_UMLAUT: Final = re.compile(r"(?<![qQaeAE])(?:[ao]e|ue)|\b[AOU]e")
_SEAM: Final = re.compile(r"(?<=[a-zäöüß])(?=[A-Z])")
_SMALL: Final = re.compile(r" (?:Am|Bis|Gesamt|Von|Vor)\b")
_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:1.6rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;"
    "padding:.35rem .6rem .35rem 0;border-bottom:1px solid #767676;overflow-wrap:anywhere}"
    "th{width:15rem;font-weight:600}"
)


def note_page(content: bytes) -> bytes:
    """Return a note, XML as this system wrote it, as a page: every element and attribute.

    Raises:
        ValueError: It is no XML, or more than a note needs.
    """
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(content, forbid_dtd=True)
    except ParseError as error:
        message = f"the note is no XML: {error}"
        raise ValueError(message) from error
    title = escape(_local(root))
    parts = "\n".join(
        f"<h2>{escape(_label(part))}</h2>\n<table>\n{_table(part)}\n</table>" for part in root
    )
    page = (
        f'<!DOCTYPE html>\n<html lang="de">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>'
        f"\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f"<p>Lesefassung. Maßgeblich ist {title.lower()}.xml; beide sagen dasselbe.</p>\n"
        f"{parts}\n</main>\n</body>\n</html>\n"
    )
    return page.encode()


def _table(part: Element) -> str:
    rows = list(_rows(part))
    return _row("", "ja") if not rows else "\n".join(_row(*row) for row in rows)


def _rows(part: Element) -> Iterator[tuple[str, str]]:
    """Yield label and text of everything below a part; what nests has the labels above it."""
    yield from ((_label_of(name), value) for name, value in part.attrib.items())
    if not len(part) and (part.text or "").strip():
        yield "", str(part.text)
    for child in part:
        said = "; ".join(f"{_label_of(name)}: {value}" for name, value in child.attrib.items())
        text = (child.text or "").strip()
        if len(child):
            yield from ((f"{_label(child)} – {name}", value) for name, value in _rows(child))
        else:
            yield _label(child), " – ".join(filter(None, (text, said))) or "ja"


def _row(label: str, text: str) -> str:
    return f'<tr><th scope="row">{escape(label)}</th><td>{escape(text)}</td></tr>'


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _label(element: Element) -> str:
    return _label_of(_local(element))


def _label_of(name: str) -> str:
    """Return an element's name as words: `RegistriertAm` is "Registriert am"."""
    words = _SEAM.sub(" ", _UMLAUT.sub(lambda found: _UMLAUTS[found.group()], name))
    small = _SMALL.sub(lambda found: found.group().lower(), words)
    return small[:1].upper() + small[1:]


def readme(  # noqa: PLR0913 - what the page has places for, each named at the call
    facts: Iterable[tuple[str, str]],
    files: Iterable[tuple[str, str]],
    absent: Iterable[Facts],
    *,
    document: str,
    purpose: str,
    sealed: bool,
    verifier: bytes,
) -> bytes:
    """Return the page that says what a bundle is and how to verify it.

    Args:
        facts: What it is about, label and value.
        files: What lies there, name and meaning.
        absent: What does not, with reasons.
        document: Its id.
        purpose: The first sentence.
        sealed: Whether the list of files is signed.
        verifier: The bytes of the verifier in it.
    """
    template = Template(resources.files(__package__).joinpath(_TEMPLATE).read_text("utf-8"))
    lacking = "\n".join(_row(str(one["part"]), str(one["reason"])) for one in absent)
    page = template.substitute(
        document=escape(document),
        purpose=escape(purpose),
        facts="\n".join(_row(*fact) for fact in facts),
        files="\n".join(_row(*entry) for entry in files),
        absent=f"<table>\n<caption>Was fehlt und warum</caption>\n{lacking}\n</table>"
        if lacking
        else "",
        seal=_SEALED if sealed else _UNSEALED,
        verifier=hashlib.sha256(verifier).hexdigest(),
    )
    return page.encode()


_SEALED: Final = (
    "Wer hat dieses Paket geschnürt?\n<pre><code>openssl cms -verify -binary -inform DER "
    "-in manifest.p7s -content manifest.sha256 -CAfile zertifikate/wurzeln.pem -purpose any "
    "-out /dev/null</code></pre>\nDas sagt nur, wer es zusammengestellt hat; wann das Dokument "
    "bestand, sagen Siegel und Zeitstempel darin."
)
_UNSEALED: Final = (
    "Wer hat das Dokument gesichert?\n<pre><code>python3 pruefen.py --trust "
    "zertifikate/wurzeln.pem</code></pre>\nDas Paket selbst ist nicht unterschrieben."
)
