"""Files inside a PDF become sources of their own, linked to the one they lay in.

Their bytes are kept as they lay there, and each is looked at like an arrival. None can stop
its cover: what cannot be read, or is more than the limits allow, goes on untouched or stays
inside, and the finding says so. What says the same as the pages for machines (ISO 19005-3,
6.8: the XML of an invoice) stays inside and is named.
"""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ingest.content import kind_of
from ingest.content.pdf_files import UNNAMED, Embedded, embedded_files
from ingest.context import StepContext
from ingest.document import Assignment, Facts, Source, SourceKind
from ingest.errors import Dangerous, Unclear
from workers.inspection.files import Inspected, finding, opaque_facts
from workers.inspection.looking import look

#: Of one arrival, all nested files together.
MOST_FILES: Final = 100
MOST_BYTES: Final = 512 * 1024**2
MOST_PAGES: Final = 20_000
#: A file inside a file inside a file.
DEEPEST: Final = 3
_LISTED: Final = 20
_REASONS: Final = {
    "damaged": "beschädigt",
    "too_large": f"mehr als {MOST_FILES} Dateien oder {MOST_BYTES // 1024**2} MiB",
    "too_deep": f"tiefer als {DEEPEST} Ebenen verschachtelt",
    "given_up": "beim Herauslösen mehrfach abgebrochen",
}


@dataclass
class _Told:
    """What is said of the files inside one source."""

    taken: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)

    def leave(self, reason: str, name: str) -> None:
        self.left.setdefault(reason, []).append(name)

    def findings(self) -> list[Facts]:
        said = []
        if self.taken:
            text = f"Als eigene Dokumente herausgelöst: {_listed(self.taken)}."
            said.append(finding("enclosures", text))
        if self.inside:
            text = f"Zum Inhalt der Seiten gehörend, bleibt eingebettet: {_listed(self.inside)}."
            said.append(finding("enclosures_inside", text))
        for reason, names in self.left.items():
            text = (
                f"Nicht herausgelöst ({_REASONS[reason]}), nur im Original: {_listed(names)}."
                " Bitte das Original ansehen."
            )
            said.append(finding("enclosures_left", text))
        return said


class Enclosures:
    """Takes the files out of the sources of one batch."""

    def __init__(
        self, assignment: Assignment, context: StepContext, found: list[Inspected]
    ) -> None:
        """Take the sources as they were inspected; `taken_out` fills in what it finds there."""
        self._context = context
        self._found = found
        self._made: list[Inspected] = []
        self._bytes = MOST_BYTES
        self._pages = MOST_PAGES - sum(len(inspected.pages) for inspected in found)
        # An attempt that ends with its child leaves no trace of the file that did it: the last
        # one does without, and the cover goes on.
        last = context.settings.workers.attempts
        self._given_up = assignment.attempt >= last > 1

    def taken_out(self) -> list[Inspected]:
        """Return the enclosures of all sources as sources that follow, nested ones last."""
        waiting = deque((position, 0) for position in range(len(self._found)))
        while waiting:
            position, depth = waiting.popleft()
            cover = self._at(position)
            if cover.source.kind is SourceKind.PDF and cover.source.facts.get("attachments"):
                before = len(self._made)
                told = self._out_of(cover.source, depth)
                self._put(position, _with_findings(cover, told.findings()))
                begin = len(self._found)
                new = range(begin + before, begin + len(self._made))
                waiting.extend((number, depth + 1) for number in new)
        return self._made

    def _at(self, position: int) -> Inspected:
        arrived = len(self._found)
        return self._found[position] if position < arrived else self._made[position - arrived]

    def _put(self, position: int, inspected: Inspected) -> None:
        arrived = len(self._found)
        if position < arrived:
            self._found[position] = inspected
        else:
            self._made[position - arrived] = inspected

    def _out_of(self, cover: Source, depth: int) -> _Told:
        told = _Told()
        if self._given_up or depth >= DEEPEST:
            reason = "given_up" if self._given_up else "too_deep"
            for name in cover.facts["attachments"]:
                told.leave(reason, name)
            return told
        path = self._context.path(cover.content_sha256)
        left = MOST_FILES - len(self._made)
        for file in embedded_files(path, self._context.workspace, self._bytes, left):
            if file.belongs:
                told.inside.append(file.name)
            elif file.path is None:
                told.leave(file.problem or "damaged", file.name)
            else:
                made = self._source(cover, file, file.path)
                told.taken.append(made.source.name)
                self._made.append(made)
        return told

    def _source(self, cover: Source, file: Embedded, path: Path) -> Inspected:
        self._bytes -= file.size
        ordinal = len(self._found) + len(self._made) + 1
        name = file.name if file.name != UNNAMED else f"Anlage {len(self._made) + 1}"
        source = Source(
            ordinal=ordinal,
            name=name,
            name_base64=base64.b64encode(name.encode()).decode("ascii"),
            sha256=self._context.keep(path).sha256,
            size=file.size,
            enclosure_of=cover.ordinal,
        )
        inspected = self._looked_at(source, path)
        self._pages -= len(inspected.pages)
        told = finding("enclosure", f"Anlage, lag in der Datei „{cover.name}“.")
        facts = {**inspected.source.facts, "electronic": True}
        facts["findings"] = [told, *facts["findings"]]
        return replace(inspected, source=replace(inspected.source, facts=facts))

    def _looked_at(self, source: Source, path: Path) -> Inspected:
        """Look at it; whatever is wrong with it is its own affair."""
        try:
            found = look(source, path, self._context.settings.workers.max_pixels)
        except (Unclear, Dangerous) as error:
            text = f"Als Anlage unverändert zugestellt: {error.operator_text}"
            return _untouched(source, path, error.code, text)
        if len(found.pages) > self._pages:
            text = f"Als Anlage unverändert zugestellt: mehr als {MOST_PAGES} Seiten im Eingang."
            return _untouched(source, path, "too_many_pages", text)
        return found


def _untouched(source: Source, path: Path, code: str, text: str) -> Inspected:
    facts = opaque_facts([finding(code, text)])
    return Inspected(replace(source, kind=kind_of(path), pages=None, facts=facts))


def _with_findings(inspected: Inspected, told: list[Facts]) -> Inspected:
    facts = inspected.source.facts
    changed = {**facts, "findings": [*facts["findings"], *told]}
    return replace(inspected, source=replace(inspected.source, facts=changed))


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED
    listed = ", ".join(f"„{name}“" for name in names[:_LISTED])
    return f"{listed} und {more} weitere" if more > 0 else listed
