"""What a bundle says of itself (`beweis.json`), held against the files and events that are there.

Anybody can write that file anew, unsigned. So nothing is believed because it stands there, and
what does not stand there is looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workers.evidence.offline.containers import Unreadable
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.history import Chain
from workers.evidence.offline.manifest import digest_of_file
from workers.evidence.offline.notes import Note
from workers.evidence.offline.record import named_first

_CLAIMS = "beweis.json"
_PROFILE_PARTS = ("verfahrensdokumentation/profil.json", "verfahrensdokumentation/profil.toml")
_REPORTS = ("pruefberichte/eingang.json", "pruefberichte/kontrolle.json")
_EVIDENCE = "evidence-record.er"
_KINDS = ("scanvermerk", "transfervermerk")
#: Under which name the absence of a note is told.
_NO_NOTE = "Vermerk"


class Claims:
    """What one bundle says of itself."""

    def __init__(
        self,
        folder: Path,
        findings: Findings,
        subject: dict[str, Any],
        chains: dict[str, Chain],
        note: Note | None,
    ) -> None:
        """Take the folder, what it says, and what is known of it so far."""
        self._folder = folder
        self._say = findings
        self._subject = subject
        self._chains = chains
        self._note = note
        self._absent = {str(one["part"]) for one in subject["absent"]}
        self._present = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        }

    def run(self) -> None:
        """Compare."""
        self._erasure()
        for name in sorted(self._present & self._unnamed()):
            self._say.breaks(name, f"liegt bei, {_CLAIMS} nennt es aber nicht")
        for part in sorted(self._absent):
            if part in self._present or (part == _NO_NOTE and self._note is not None):
                self._say.breaks(part, f"liegt bei, {_CLAIMS} sagt aber, es fehle")
        for part in sorted(self._missing() - self._absent):
            self._say.breaks(part, f"fehlt, und {_CLAIMS} sagt nicht, warum")
        if not self._subject["erased"]:
            for part in sorted({*_REPORTS} - self._absent - self._present):
                self._say.skips(part, "liegt nicht bei")
        self._coverage()

    def _erasure(self) -> None:
        chain = self._chains.get(self._subject["document"])
        if chain is None:
            return
        erased = bool(self._subject["erased"])
        wrong = "gelöscht" if erased else "nicht gelöscht"
        self._say.judge(
            _CLAIMS,
            chain.is_erased == erased,
            "ob das Dokument gelöscht ist, steht so auch im Protokoll",
            f"nennt das Dokument {wrong}; das Protokoll weiß es anders",
        )

    def _unnamed(self) -> set[str]:
        """Return the files that may only be there if they are named."""
        subject = self._subject
        records = {str(one["name"]) for one in subject["records"]}
        anchors = {
            str(anchor.get("record")) for chain in self._chains.values() for anchor in chain.anchors
        }
        kept = {name for name in self._present if name.endswith(".er")} - records - anchors
        if subject["sealed_by"] is None:
            kept.add("manifest.p7s")
        if not subject["erased"]:
            kept.add("loeschprotokoll.json")
        notes = {f"{kind}.{form}" for kind in _KINDS for form in ("xml", "html")}
        if subject["note"] is not None:
            notes -= {subject["note"], subject["note"].replace(".xml", ".html")}
        kept |= notes
        if subject["pdf"] is None:
            kept.add("scanprodukt.pdf")
        return kept

    def _missing(self) -> set[str]:
        """Return what has to be there, or told to be absent, and is not there."""
        subject = self._subject
        wanted = set(_PROFILE_PARTS[:1] if _PROFILE_PARTS[0] in self._absent else _PROFILE_PARTS)
        if not subject["erased"]:
            wanted |= {_EVIDENCE, "scanprodukt.pdf", *self._originals()}
            wanted |= {_NO_NOTE} if subject["note"] is None else set()
        begun = {name[: len("original-eingang/000")] for name in self._present}
        return wanted - self._present - begun

    def _originals(self) -> Iterator[str]:
        """Yield the beginnings of the names of what arrived, as the batch record tells."""
        try:
            path = self._folder / f"stapel/{self._subject['batch']}.json"
            for one in json.loads(path.read_text("utf-8"))["sources"]:
                if one["name"] is not None and one["sha256"] is not None:
                    yield f"original-eingang/{int(one['ordinal']):03}"
        except (OSError, ValueError, LookupError, TypeError):
            return  # said where the batch record is looked at

    def _coverage(self) -> None:
        """Find what records are over but are not said to be, and what none of them is over."""
        secured = [name for name in (self._subject["pdf"], self._subject["note"]) if name]
        secured += [name for name in self._present if name.startswith("original-eingang/")]
        secured += [f"ergaenzungsvermerk.{form}" for form in ("xml", "p7s")]
        digests = {
            name: digest_of_file(self._folder / name) for name in secured if name in self._present
        }
        pages = {} if self._note is None else self._note.pages
        covered: set[str] = set()
        for said in self._subject["records"]:
            over = self._over(str(said["name"]))
            covered |= over
            told = {digests.get(name, "") for name in said["files"]}
            told |= {pages.get(str(number), "") for number in said["pages"]}
            kept = [name for name, digest in digests.items() if digest in over - told]
            kept += [f"Abbild {one}" for one, digest in pages.items() if digest in over - told]
            for name in sorted(kept):
                self._say.breaks(said["name"], f"gilt auch für {name}; {_CLAIMS} verschweigt es")
        for name, digest in sorted(digests.items()):
            if digest not in covered:
                self._say.skips(name, "seit wann es besteht: darüber liegt kein Nachweis bei")

    def _over(self, name: str) -> set[str]:
        try:
            return {one.hex() for one in named_first((self._folder / name).read_bytes())}
        except (OSError, Unreadable):
            return set()  # said where it is followed
