"""What rows of renditions say beside kind and digest, and whether the events say the same.

Of each output an event names kind and digest, and a digest of everything else that its row says:
what it was made from, by which tool with which settings. Events of before lack the latter, so
that is not compared there. Part of `agreement`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa

from ingest.document import Facts, RenditionKind
from ingest.ledger import chains

Row = sa.Row[Any]

#: The keys of digests by name of the output, and of what their rows say.
NAMED: Final = "renditions"
ROWS: Final = "made_sha256"


class Described(Protocol):
    """An output as a step made it; rows have the same names."""

    @property
    def kind(self) -> str:
        """See `ingest.document.Rendition`, as the others."""
        ...

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    @property
    def media_type(self) -> str:
        """IANA name."""
        ...

    @property
    def parent_sha256(self) -> str:
        """What it was made from."""
        ...

    @property
    def tool(self) -> str:
        """What made it."""
        ...

    @property
    def settings(self) -> Facts:
        """With which the tool did."""
        ...


class Made(NamedTuple):
    """A row of a rendition, as short as it can be compared.

    Attributes:
        row: Digest of what else it says, see `row_digest`.
    """

    kind: str
    sha256: str
    row: str
    at: dt.datetime


class _Told(NamedTuple):
    row: str | None
    at: dt.datetime


#: Page number (None for the unit itself), kind and digest.
Key = tuple[int | None, str, str]


@dataclass
class Outputs:
    """What the events of a chain say of the outputs of a unit and its pages."""

    told: dict[Key, list[_Told]] = field(default_factory=dict)

    def hear(self, event: Row) -> None:
        """Hear one event whose payload is there and genuine."""
        said = event.payload
        page, rows = said.get("page"), said.get(ROWS, {})
        for name, sha256 in said.get(NAMED, {}).items():
            self._add((page, name.partition("#")[0], sha256), rows.get(name), event.at)
        for manifest in said.get("manifests", ()):
            key = (None, RenditionKind.MANIFEST, manifest["sha256"])
            self._add(key, manifest.get(ROWS), event.at)
        for ordinal, sha256 in said.get("opened", {}).items():
            self._add((None, RenditionKind.OPENED, sha256), rows.get(ordinal), event.at)
        for kind, sha256 in said.get("gone", ()):
            self.told.pop((None, kind, sha256), None)

    def _add(self, key: Key, row: str | None, at: dt.datetime) -> None:
        self.told.setdefault(key, []).append(_Told(row, at))


def row_digest(tenant: str, unit_kind: str, made: Described) -> str:
    """Return the digest of what a rendition's row says, but for its unit and the time."""
    return chains.facts_digest(
        {
            "tenant": tenant,
            "unit_kind": unit_kind,
            "kind": made.kind,
            "sha256": made.sha256,
            "size": made.size,
            "media_type": made.media_type,
            "parent_sha256": made.parent_sha256,
            "tool": made.tool,
            "settings": made.settings,
        }
    )


def of_row(row: Row) -> Made:
    """Return a row as it is compared."""
    return Made(row.kind, row.sha256, row_digest(row.tenant, row.unit_kind, row), row.recorded_at)


def account(tenant: str, unit_kind: str, made: Iterable[Described]) -> Facts:
    """Return what an event says of outputs; of several of one kind the later ones are numbered."""
    named: Facts = {}
    rows: Facts = {}
    several: Counter[str] = Counter()
    for one in made:
        several[one.kind] += 1
        count = several[one.kind]
        name = f"{one.kind}#{count}" if count > 1 else str(one.kind)
        named[name], rows[name] = one.sha256, row_digest(tenant, unit_kind, one)
    return {NAMED: named, ROWS: rows} if named else {}


def compared(heard: Outputs, found: Collection[Made]) -> Iterator[str]:
    """Yield what the rows of a unit say of its own outputs otherwise than its events.

    Args:
        heard: What its events say; none may be erased.
        found: All rows of the unit.
    """
    told = {key[1:]: each for key, each in heard.told.items() if key[0] is None}
    rows: dict[tuple[str, str], list[Made]] = {}
    for made in found:
        rows.setdefault((made.kind, made.sha256), []).append(made)
    if told.keys() != rows.keys():
        yield "Ausgaben sind nicht die, die die Ereignisse nennen"
    for key in sorted(told.keys() & rows.keys()):
        if Counter(one.at for one in told[key]) != Counter(one.at for one in rows[key]):
            yield f"Ausgabe {key[0]}: Einträge oder Zeiten sind nicht die der Ereignisse"
        yield from _rows(key[0], told[key], rows[key])


def of_pages(heard: Outputs, pages: Mapping[int, Collection[Made]]) -> Iterator[str]:
    """Yield what the rows of pages say otherwise than the events; whether any lacks, others say.

    Args:
        heard: What the events of their document or batch say.
        pages: Rows of each page, by its number.
    """
    told = {key: each for key, each in heard.told.items() if key[0] in pages}
    for (number, kind, sha256), each in sorted(told.items(), key=str):
        own = pages[number or 0]
        rows = [made for made in own if (made.kind, made.sha256) == (kind, sha256)]
        for one in _rows(kind, each, rows) if rows else ():
            yield f"Seite {number}: {one}"


def _rows(kind: str, told: Sequence[_Told], rows: Sequence[Made]) -> Iterator[str]:
    if any(one.row is None for one in told):
        return  # events of before say no more
    if {one.row for one in told} != {one.row for one in rows}:
        yield f"Ausgabe {kind}: Herkunft, Werkzeug oder Größe sind nicht die des Ereignisses"
