"""What a reader of the note must know: anomalies of the scan and findings of the file.

An anomaly is something about our own capture (a page that does not decode, a doubtful
separator); a finding is something about the file as it came (not PDF/A, signature broken).
Both are German sentences, in the order of the pages, each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ingest.document import SCANNED, Assignment, Document, Facts, Page, PageRole
from workers.review import unread


def anomalies(assignment: Assignment, document: Document) -> list[str]:
    """Return what was unusual about capturing this document; empty means none was noticed."""
    facts = document.facts
    found = list(sentences(assignment.batch.facts.get(SCANNED, {}).get("anomalies", ())))
    found += [text for page in assignment.pages for text in _of_page(page)]
    if "checking" not in facts:
        # Checking says these in its own words, page ranges drawn together.
        found += [text for page in assignment.pages for text in _unchecked(page)]
    found += map(_of_separation, facts.get("separation", {}).get("anomalies", []))
    found += map(_of_checking, facts.get("checking", {}).get("anomalies", []))
    return unique(found)


def findings(assignment: Assignment, document: Document) -> list[str]:
    """Return what was found about the files that this document came in."""
    ordinals = {page.source for page in assignment.pages} | {document.source}
    found: list[str] = []
    for source in assignment.batch.sources:
        if source.ordinal in ordinals:
            found += sentences(source.facts.get("findings", []))
    of_stack = assignment.batch.facts.get("separation", {}).get("findings", [])
    found += sentences(finding for finding in of_stack if "page" not in finding)
    found += sentences(document.facts.get("composition", {}).get("findings", []))
    return unique(found)


def sentences(entries: Iterable[Any]) -> Iterator[str]:
    """Return the German text of each entry, which is a sentence or `{"code", "text"}`."""
    for entry in entries:
        text = entry.get("text") or entry.get("code") if isinstance(entry, dict) else entry
        if text:
            yield str(text)


def unique(texts: Iterable[str]) -> list[str]:
    """Return `texts` without repetitions, order kept."""
    return list(dict.fromkeys(texts))


def _of_checking(anomaly: Facts) -> str:
    """Say on which pages; neighbours are drawn together."""
    numbers = sorted(anomaly.get("pages", []))
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    where = ", ".join(" bis ".join(map(str, span)) for span in spans)
    return f"Abbild {where}: {anomaly['text']}" if where else str(anomaly["text"])


def _of_separation(anomaly: Facts) -> str:
    left_out = "ausgelassen, " if anomaly["code"] == "unreadable_page" else ""
    return f"Abbild {anomaly['page']}: {left_out}{anomaly['text']}"


def _of_page(page: Page) -> Iterator[str]:
    examination: Facts = page.facts.get("examination", {})
    recognition: Facts = page.facts.get("recognition", {})
    where = f"Abbild {page.number}"
    if examination.get("separator_suspect"):
        yield f"{where}: sieht aus wie ein Trennblatt, dessen Code nicht lesbar ist"
    if recognition.get("orientation"):
        yield f"{where}: um {recognition['orientation']} Grad im Uhrzeigersinn gedreht"


def _unchecked(page: Page) -> Iterator[str]:
    examination: Facts = page.facts.get("examination", {})
    recognition: Facts = page.facts.get("recognition", {})
    where = f"Abbild {page.number}"
    if examination.get("undecodable"):
        yield f"{where}: nicht lesbar ({examination['undecodable']})"
    if examination.get("damaged"):
        yield f"{where}: Bild beschädigt, nur teilweise lesbar"
    if examination.get("dpi_source") == "default":
        yield f"{where}: Auflösung in der Datei nicht angegeben, angenommen"
    if page.role is PageRole.BLANK_SUSPECT or examination.get("blank"):
        yield f"{where}: vermutlich leer"
    if recognition.get("anomaly"):
        yield f"{where}: {unread(str(recognition['anomaly']))}"
