"""Do the rows still say what the event chains say? What reading shows is the rows.

A chain proves its own history only. Here each batch and document is compared with it:
there is one chain for each and one of each for every chain; stage, sources, date of
receipt, documents, pages, facts and renditions are those that the events name; what is open
has work, and what is named is known to the store's list. What an event no longer says,
because it was erased, is not compared. Chains pass by in pieces, each with a fixed number
of queries, however many there are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import (
    BatchStage,
    Facts,
    Family,
    RenditionKind,
    Standing,
    Step,
    UnitKind,
)
from ingest.ledger import (
    chains,
    consigned,
    duties,
    entrusted,
    files,
    installation,
    judged,
    logbook,
    outputs,
    quality,
    rescanned,
    reviewing,
    rulescheck,
    schema,
    sheets,
    standings,
)
from ingest.ledger.columns import clean_text
from ingest.ledger.integrity import LOG, AnchoredRoots, Break, chains_of, events_of, verify_chain
from ingest.ledger.papertrail import PaperTrail
from ingest.ledger.paperunits import UNIT_KIND, chain_of
from ingest.ledger.reading import has_arrived
from ingest.ledger.surroundings import SeenPage, Surroundings
from ingest.ledger.testimony import Testimony, hear

Row = sa.Row[Any]
_ENVELOPE: Final = frozenset(
    {
        "channel",
        "profile",
        "profile_sha256",
        "operator",
        "received_at",
        "received_at_source",
        "scanned_at",
        "device",
        "storage_place",
        "expected_sheets",
        "expected_consignments",
        "sides",
    }
)
_OF_PAGES: Final = frozenset({*map(str, Step), "recorded_at"})
#: Nobody has to look at what was turned away or replaced.
_NOT_LOOKED_AT: Final = frozenset({Standing.REJECTED, Standing.SUPERSEDED})
_UNITS: Final = {UnitKind.BATCH: schema.batch, UnitKind.DOCUMENT: schema.document}


class Examination:
    """Everything about a ledger that can be computed again; iterate once, then read counts.

    Attributes:
        chains: How many were compared.
        roots: The anchored daily roots; None where only one chain is examined.
    """

    def __init__(
        self, connection: sa.Connection, tenant: str | None = None, chain: str | None = None
    ) -> None:
        """Take a connection in one reading transaction, and what to examine."""
        self._connection = connection
        self._tenant = tenant
        self._chain = chain
        self._explained: set[str] = set()
        self.chains = 0
        whole = tenant is not None and chain is None
        self.roots = AnchoredRoots(connection, tenant) if tenant and whole else None

    def __iter__(self) -> Iterator[Break]:
        """Yield where the ledger is not what was written, nothing if all is well."""
        for piece in chains_of(self._connection, self._tenant, self._chain):
            yield from self._piece(piece)
        if self.roots is not None:
            yield from self.roots.breaks()
        if self._chain is None:
            yield from self._without_chain()
            yield from self._strayed()
            yield from self._unlisted()
            for tenant in sorted(self._tenants() - self._explained):
                yield from self._registers(tenant, [])
            for tenant, reason in rulescheck.altered_files(self._connection, self._tenant):
                yield Break(installation.chain_of(tenant), 0, reason)

    def _piece(self, piece: list[Row]) -> Iterator[Break]:
        by_id = {row.id: row for row in piece}
        around = Surroundings(self._connection, list(by_id))
        trail = PaperTrail(self._connection, by_id)
        for id_, found in groupby(events_of(self._connection, by_id), lambda row: str(row.chain)):
            events, row = list(found), by_id.pop(id_)
            self.chains += 1
            yield from verify_chain(row, events)
            if self.roots is not None:
                self.roots.add(id_, events)
            of_paper = row.unit_kind == UNIT_KIND
            said = trail.compared(row, events) if of_paper else _compared(row, events, around)
            for reason in _readable(said):
                yield Break(id_, 0, reason)
            if id_ == installation.chain_of(row.tenant):
                yield from self._registers(row.tenant, events)
        for id_ in by_id:
            yield Break(id_, 0, "the chain has no events")

    def _registers(self, tenant: str, events: list[Row]) -> Iterator[Break]:
        self._explained.add(tenant)
        for reason in _readable(entrusted.unexplained(self._connection, tenant, events)):
            yield Break(installation.chain_of(tenant), 0, reason)

    def _tenants(self) -> set[str]:
        """Return whose registers are to be compared, also where they have no chain of their own."""
        return entrusted.tenants(self._connection) if self._tenant is None else {self._tenant}

    def _without_chain(self) -> Iterator[Break]:
        for table in _UNITS.values():
            known = sa.exists().where(
                schema.chain.c.id == table.c.id, schema.chain.c.tenant == table.c.tenant
            )
            query = sa.select(table.c.id).where(~known)
            for id_ in self._connection.execute(self._of_tenant(query, table)).scalars():
                yield Break(id_, 0, "Der Eintrag hat keine Ereigniskette.")
        event, chain = schema.event, schema.chain
        known = sa.exists().where(chain.c.id == event.c.chain, chain.c.tenant == event.c.tenant)
        lost = sa.select(event.c.chain).where(~known, event.c.seq == 1)
        for id_ in self._connection.execute(self._of_tenant(lost, event)).scalars():
            yield Break(id_, 0, "Die Ereignisse gehören zu keiner Kette dieses Mandanten.")
        paper = schema.paper_unit
        known = sa.exists().where(schema.chain.c.id == sa.literal(chain_of("")) + paper.c.id)
        query = self._of_tenant(sa.select(paper.c.id).where(~known), paper)
        for id_ in self._connection.execute(query).scalars():
            yield Break(id_, 0, "Der Eintrag hat keine Ereigniskette.")

    def _strayed(self) -> Iterator[Break]:
        """Yield what belongs to a batch and bears another tenant."""
        batch = schema.batch
        for table in (schema.batch_source, schema.page):
            query = sa.select(batch.c.id).join(table, table.c.batch_id == batch.c.id).distinct()
            query = self._of_tenant(query.where(table.c.tenant != batch.c.tenant), batch)
            for id_ in self._connection.execute(query).scalars():
                yield Break(id_, 0, "Dateien oder Seiten sind die eines anderen Mandanten.")

    def _unlisted(self) -> Iterator[Break]:
        """Yield named bytes that the list of kept objects lacks: the next sweep takes them."""
        kept = schema.blob
        source, made, text = schema.batch_source, schema.rendition, schema.procedure_text
        for table, unit, named in (
            (source, source.c.batch_id, source.c.sha256),
            (source, source.c.batch_id, source.c.opened_sha256),
            (made, made.c.unit_id, made.c.sha256),
            (text, text.c.name, text.c.sha256),
        ):
            listed = sa.exists().where(kept.c.tenant == table.c.tenant, kept.c.sha256 == named)
            query = sa.select(unit, named).where(~listed, named != "")
            for id_, sha256 in self._connection.execute(self._of_tenant(query, table)):
                yield Break(id_, 0, f"Objekt {sha256} fehlt im Verzeichnis der Ablage.")

    def _of_tenant(self, query: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
        return query if self._tenant is None else query.where(table.c.tenant == self._tenant)


def _readable(compared: Iterator[str]) -> Iterator[str]:
    """Compare, and say so where what was damaged cannot even be compared."""
    try:
        yield from compared
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        yield f"Der Eintrag ist beschädigt und nicht lesbar ({type(error).__name__})"


def _compared(chain: Row, events: list[Row], around: Surroundings) -> Iterator[str]:
    if chain.unit_kind not in _UNITS:
        known = {logbook.chain_of(chain.tenant, family): LOG for family in Family}
        known[installation.chain_of(chain.tenant)] = installation.INSTALLATION
        if chain.unit_kind != known.get(chain.id):
            yield f"Art der Kette: {chain.unit_kind} ist es nicht"
        return
    heard = hear(chain.unit_kind, events)
    of_batch = chain.unit_kind == UnitKind.BATCH
    row = (around.batches if of_batch else around.documents).get(chain.id)
    if row is None:
        yield "Zur Ereigniskette fehlt der Eintrag."
        return
    if row.tenant != chain.tenant:
        yield f"Mandant: Eintrag {row.tenant}, Kette {chain.tenant}"
    yield from standings.compared(row, heard, at_work=chain.id in around.at_work)
    yield from _facts(row, heard)
    yield from _of_batch(row, heard, around) if of_batch else _of_document(row, heard, around)


def _facts(row: Row, heard: Testimony) -> Iterator[str]:
    if row.erased_at is not None:
        return
    for step in sorted(row.facts.keys() | heard.facts.keys()):
        if step not in heard.facts:
            if not heard.silent:
                yield f"Angaben zu „{step}“ stehen in keinem Ereignis"
        elif step not in row.facts:
            yield f"Angaben zu „{step}“ fehlen"
        elif heard.facts[step] != chains.facts_digest(_as_found(row.facts[step], heard, step)):
            yield f"Angaben zu „{step}“ sind nicht die des Ereignisses"


def _as_found(facts: Facts, heard: Testimony, step: str) -> Facts:
    """Return a step's facts without the time that recording added."""
    if step == "separation" and "captured" in heard.said:
        return facts
    return {key: value for key, value in facts.items() if key != "recorded_at"}


def _of_batch(row: Row, heard: Testimony, around: Surroundings) -> Iterator[str]:
    if row.registered_at != heard.begun_at:
        yield f"Erfassungszeit: Eintrag {row.registered_at}, Kette {heard.begun_at}"
    if "received" in heard.said:
        yield from _received(row, heard, around.sources.get(row.id, []))
        yield from rulescheck.altered(row, heard.said["received"], around.rules)
    if "separated" in heard.said:
        said = [(d["id"], d["pages"], d["source"]) for d in heard.said["separated"]["documents"]]
        cut = around.cut.get(row.id, [])
        first = [d for d in cut if d.revision == 1]
        in_order = [d.ordinal for d in first] == list(range(1, len(first) + 1))
        if not in_order or said != [(d.id, d.pages, d.source) for d in first]:
            yield "Dokumente sind nicht die, in die getrennt wurde"
        if heard.revisions != {d.id for d in cut if d.revision > 1}:
            yield "Spätere Fassungen sind nicht die, die die Kette nennt"
    yield from _protected(row, heard)
    if heard.stage == BatchStage.RECEIVED:
        yield from files.unseen(around.sources.get(row.id, []))
    yield from _inspected(row, heard, around)
    members = [m for m in around.sampled.get(row.id, []) if m.rule == quality.BEFORE_DELIVERY]
    yield from judged.of_batch(around.samples.get(row.id), members, heard.quality)
    if not heard.silent:
        yield from _made_of_batch(row, heard, around)


def _made_of_batch(row: Row, heard: Testimony, around: Surroundings) -> Iterator[str]:
    if row.erased_at is None:
        yield from outputs.compared(heard.outputs, around.renditions.get(row.id, ()))
    for source in around.sources.get(row.id, []):
        if source.opened_sha256 != heard.opened.get(source.ordinal):
            yield f"Datei {source.ordinal}: die geöffnete Fassung ist nicht die des Ereignisses"


def _protected(row: Row, heard: Testimony) -> Iterator[str]:
    told: Facts = {**heard.said.get("received", {}), **heard.said.get("separated", {})}
    if not heard.silent and row.protection != told.get("protection"):
        yield f"Schutzbedarf: Eintrag {row.protection}, Kette {told.get('protection')}"


def _received(row: Row, heard: Testimony, sources: list[Row]) -> Iterator[str]:
    sources = [source for source in sources if has_arrived(source)]
    said = {**heard.said["received"]}
    # A date of receipt that was asked of a person is said by a later event.
    later = heard.said.get("inspected", {})
    said |= {key: later[key] for key in ("received_at", "received_at_source") if key in later}
    for name in _ENVELOPE & said.keys():
        value = said[name]
        if name.endswith("_at"):
            value = value and dt.datetime.fromisoformat(value)
        if _clean(value) != getattr(row, name):
            yield f"{name}: Eintrag {getattr(row, name)}, Kette {said[name]}"
    yield from files.received(sources, said["sources"])


def _clean(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


def _inspected(row: Row, heard: Testimony, around: Surroundings) -> Iterator[str]:
    said = heard.said.get("inspected")
    pages = around.pages.get(row.id, {})
    if said is None or row.erased_at is not None:
        return
    later = {each["page"] for rescan in heard.rescans.values() for each in rescan["found"]}
    first = {number: page for number, page in pages.items() if number not in later}
    if len(first) != said["pages"] or list(pages) != list(range(1, len(pages) + 1)):
        yield f"Seiten: {len(first)} Einträge, Kette {said['pages']}"
    yield from _pages(row, said, first, around)
    yield from rescanned.of_batch(around.sources.get(row.id, []), pages, heard.rescans)
    for source in around.sources.get(row.id, []):
        told = said.get("sources_sha256", {}).get(str(source.ordinal))
        if told is not None and source.sha256 and told != chains.source_digest(source):
            yield f"Datei {source.ordinal}: Angaben sind nicht die der Prüfung"
    yield from files.enclosed(around.sources.get(row.id, []), said.get("enclosures", []))
    yield from _page_facts("examination", first, heard)
    yield from sheets.of_batch(heard, pages, later)
    for number, page in pages.items():
        made = {(one.kind, one.sha256) for one in page.made}
        if made != ({(RenditionKind.WORDS, page.words)} if page.words else set()):
            yield f"Seite {number}: Ausgaben sind nicht die, die der Eintrag nennt"


def _pages(
    row: Row, said: Facts, pages: dict[int, SeenPage], around: Surroundings
) -> Iterator[str]:
    gone = {n for d in around.cut.get(row.id, []) if d.erased_at is not None for n in d.pages}
    for number, page in pages.items():
        if page.blank and number not in gone:
            yield f"Seite {number}: leer, ohne dass sie gelöscht wurde"
    whole = not any(page.blank for page in pages.values())
    if whole and "pages_sha256" in said:
        found = chains.facts_digest({"pages": [page.found for page in pages.values()]})
        if found != said["pages_sha256"]:
            yield "Seiten sind nicht die, die gefunden wurden"


def _page_facts(step: str, pages: dict[int, SeenPage], heard: Testimony) -> Iterator[str]:
    for number, page in pages.items():
        if not page.facts.keys() <= _OF_PAGES:
            yield f"Seite {number}: Angaben, die kein Schritt macht"
        told = heard.page_facts.get((number, step))
        if not page.blank and told != page.facts.get(step) and not (heard.silent and told is None):
            yield f"Seite {number}: Angaben zu „{step}“ sind nicht die des Ereignisses"


def _of_document(row: Row, heard: Testimony, around: Surroundings) -> Iterator[str]:
    if heard.erased != (row.erased_at is not None):
        yield "Gelöscht laut Kette und laut Eintrag sind nicht dasselbe"
    yield from consigned.of_document(row, heard, around)
    if row.erased_at is not None:
        return
    yield from _captured(row, heard, around)
    yield from duties.of_document(row, around)
    viewed = around.viewed.get(row.id, set())
    yield from judged.of_document(around.members.get(row.id), viewed, heard.quality)
    asked = bool(reviewing.reasons(row.facts)) and not heard.reviewed
    if bool(row.review_open) != (asked and row.standing not in _NOT_LOOKED_AT):
        yield "Prüfung durch eine Person: offen laut Eintrag und laut Kette sind nicht dasselbe"
    if not heard.silent:
        if row.superseded_by != heard.superseded_by:
            yield "Nachfolger laut Eintrag und laut Kette sind nicht derselbe"
        yield from _made(row, heard, around)


def _captured(row: Row, heard: Testimony, around: Surroundings) -> Iterator[str]:
    if said := heard.said.get("captured"):
        if (row.batch_id, row.pages, row.source) != (said["batch"], said["pages"], said["source"]):
            yield "Seiten oder Quelle sind nicht die, die erfasst wurden"
        if (row.profile, row.profile_sha256) != (said.get("profile"), said.get("profile_sha256")):
            yield "Das Profil ist nicht das, unter dem erfasst wurde"
        yield from rulescheck.altered(row, said, around.rules)
        if (row.supersedes, row.revision) != (said.get("supersedes"), said.get("revision", 1)):
            yield "Fassung oder Vorgänger sind nicht die, die erfasst wurden"
        source = {s.ordinal: s for s in around.sources.get(row.batch_id, [])}.get(row.source)
        if source is None or source.sha256 not in ("", said["source_sha256"]):
            yield "Die Quelle ist nicht die, aus der erfasst wurde"


def _made(row: Row, heard: Testimony, around: Surroundings) -> Iterator[str]:
    pages = around.pages.get(row.batch_id, {})
    own = {number: pages[number] for number in row.pages if number in pages}
    if row.superseded_by is not None:  # what was recognised afterwards, its successor says
        own = {n: page for n, page in own.items() if (n, "recognition") in heard.page_facts}
    yield from _page_facts("recognition", own, heard)
    again = {n: page for n, page in own.items() if (n, "examination") in heard.page_facts}
    yield from _page_facts("examination", again, heard)
    words = {(n, kind, sha) for n, kind, sha in heard.renditions if kind == "words"}
    if words != {(n, "words", page.words) for n, page in own.items() if page.words}:
        yield "Erkannter Text ist nicht der des Ereignisses"
    yield from outputs.compared(heard.outputs, around.renditions.get(row.id, ()))
    yield from outputs.of_pages(heard.outputs, {n: page.made for n, page in own.items()})
