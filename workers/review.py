"""Which documents a person has to look at although they go on: the list of reasons.

Checking writes the list into its facts under `review`; the ledger shows every document whose
list is not empty (`scanstrasse list --review`) until somebody says that they looked. Nothing
waits for it: the document is delivered, and its note says the same. Each entry is
`{"code", "pages", "text"}`: a stable name, arrival page numbers, and a German sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Final

from ingest.document import Assignment, Facts, Page, reasons_to_look

#: Why a page has no text though there may be some on it, by the code of what went wrong.
_UNREAD: Final = MappingProxyType(
    {
        "tool_failed": "Texterkennung nach wiederholtem Absturz ausgelassen, Seite nur als Bild",
        "tool_timed_out": "Texterkennung nach wiederholter Zeitüberschreitung ausgelassen, "
        "Seite nur als Bild",
        "worker_lost": "Texterkennung nach wiederholtem Abbruch ausgelassen, Seite nur als Bild",
    }
)
#: A page that does not decode has nothing to look at; separation and checking say what follows.
_NOTHING_TO_SEE: Final = "undecodable"


def unread(code: str) -> str:
    """Return the German sentence for a page that went on without text, for note and clerk."""
    return _UNREAD.get(code, f"Text nicht erkannt ({code})")


def of_recognition(pages: Iterable[Page]) -> Iterator[Facts]:
    """Yield a reason for each way in which recognition gave pages up.

    The engine crashed on them or overran its time at every try, so nobody knows what they say.
    """
    given_up: dict[str, list[int]] = {}
    for page in pages:
        code = page.facts.get("recognition", {}).get("anomaly")
        if code and code != _NOTHING_TO_SEE:
            given_up.setdefault(str(code), []).append(page.number)
    for code, numbers in sorted(given_up.items()):
        yield {"code": code, "pages": numbers, "text": unread(code)}


def of_signatures(assignment: Assignment) -> Iterator[Facts]:
    """Yield a reason for each file of the document whose signatures a person must look at.

    They failed, or the file was changed afterwards, or they could not be judged to the end.
    """
    document = assignment.document
    ordinals = {page.source for page in assignment.pages}
    if document is not None:
        ordinals.add(document.source)
    for source in assignment.batch.sources:
        if source.ordinal in ordinals:
            numbers = [page.number for page in assignment.pages if page.source == source.ordinal]
            for text in reasons_to_look(source.facts):
                yield {"code": "signature", "pages": numbers, "text": text}
