"""Do the rows of pages still say what each was in its stack? Part of `agreement`.

Separation finds role, sheet and side; a page that was put back is content again, and so is what
was scanned anew. Events of before do not say it, so there it is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from ingest.document import BatchStage, Facts, PageRole
from ingest.ledger import chains
from ingest.ledger.cutting import PLACES, ROLES
from ingest.ledger.surroundings import SeenPage
from ingest.ledger.testimony import Testimony


def of_batch(
    heard: Testimony, pages: Mapping[int, SeenPage], later: AbstractSet[int]
) -> Iterator[str]:
    """Yield what pages are otherwise than the events say.

    Args:
        heard: What the events of the batch say.
        pages: All of the batch, by number.
        later: Numbers of those that were scanned again.
    """
    none: Facts = {} if heard.stage == BatchStage.CLOSED else {ROLES: {}}
    said = heard.said.get("separated", none)
    if ROLES not in said:
        return
    for number, page in pages.items():
        role = said[ROLES].get(str(number), PageRole.CONTENT)
        if number in later or (number in heard.put_back and role == PageRole.SEPARATOR):
            role = PageRole.CONTENT
        if page.role != role:
            yield f"Seite {number}: Eintrag {page.role}, Kette {role}"
    places = [[number, *page.place] for number, page in pages.items() if number not in later]
    nowhere = [[number, None, None] for number, *_ in places]
    told = said.get(PLACES, chains.facts_digest({"places": nowhere}))
    if chains.facts_digest({"places": places}) != told:
        yield "Blatt und Seite der Abbilder sind nicht die, die gefunden wurden"
    for number in later & pages.keys():
        if pages[number].place != (None, None):
            yield f"Seite {number}: Blatt und Seite, die niemand gefunden hat"
