"""What the bundle says of batch, profile and deletion, held against history and note."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workers.evidence.offline.findings import Findings
from workers.evidence.offline.history import Chain
from workers.evidence.offline.manifest import digest_of_file
from workers.evidence.offline.notes import Note

_PROFILE = "verfahrensdokumentation/profil.json"
_PROFILE_FILE = "verfahrensdokumentation/profil.toml"
_DELETION = "loeschprotokoll.json"


class Records:
    """The JSON files of one bundle."""

    def __init__(
        self,
        folder: Path,
        findings: Findings,
        subject: dict[str, Any],
        chains: dict[str, Chain],
        note: Note | None,
    ) -> None:
        """Take the folder and what is known of the bundle so far."""
        self._folder = folder
        self._say = findings
        self._subject = subject
        self._chains = chains
        self._note = note

    def run(self) -> None:
        """Look at each that is there."""
        self._batch()
        self._profile()
        self._procedures()
        if self._subject["erased"]:
            self._deletion()

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self._folder / name).read_text("utf-8"))
        except (OSError, ValueError):
            found = None
        if isinstance(found, dict):
            return found
        self._say.breaks(name, "fehlt oder ist nicht lesbar")
        return None

    def _payload(self, chain: str, kind: str) -> dict[str, Any] | None:
        """Return what the last event of a kind says; None where it is not shown."""
        for event in reversed(self._chains[chain].events if chain in self._chains else []):
            if event["kind"] == kind and isinstance(event["payload"], dict):
                return event["payload"]
        return None

    def _batch(self) -> None:
        name = f"stapel/{self._subject['batch']}.json"
        said = self._read(name)
        if said is None:
            return
        if self._note is not None:
            known = {str(page["number"]): page["sha256"] for page in said["pages"]}
            pages = self._note.pages
            wrong = [number for number, digest in pages.items() if known.get(number) != digest]
            self._say.judge(
                name,
                not wrong,
                f"{len(pages)} Abbilder mit den Prüfsummen des Vermerks",
                f"Abbild {', '.join(wrong)}: der Vermerk nennt eine andere Prüfsumme",
            )
        cut = self._payload(self._subject["batch"], "separated")
        if cut is None:
            self._say.skips(name, "Trennung: der Inhalt des Ereignisses liegt nicht bei")
            return
        first = [one for one in said["documents"] if one["revision"] == 1]
        found = [{key: one[key] for key in ("id", "pages", "source")} for one in first]
        left_out = [one for one in cut["omitted"] if one["page"] not in said["put_back"]]
        self._say.judge(
            name,
            found == cut["documents"] and said["omitted"] == left_out,
            "Dokumente und weggelassene Seiten wie im Ereignis „separated“",
            "andere Dokumente oder weggelassene Seiten als im Ereignis „separated“",
        )

    def _profile(self) -> None:
        if not (self._folder / _PROFILE).is_file():
            return
        said = self._read(_PROFILE)
        if said is None:
            return
        if self._note is not None and self._note.profile is not None:
            self._say.judge(
                _PROFILE,
                said["sha256"] == self._note.profile,
                "die Fassung, die der Vermerk nennt",
                "eine andere Fassung, als der Vermerk nennt",
            )
        if (self._folder / _PROFILE_FILE).is_file():
            self._say.judge(
                _PROFILE_FILE,
                digest_of_file(self._folder / _PROFILE_FILE) == said["sha256"],
                "die Datei dieser Fassung",
                "nicht die Datei dieser Fassung",
            )

    def _procedures(self) -> None:
        """Look for the texts that the note names, by their digests."""
        files = (self._folder / _PROFILE).parent.glob("*")
        held = {digest_of_file(path): path.name for path in files if path.is_file()}
        for what, digest in sorted(({} if self._note is None else self._note.procedures).items()):
            if digest in held:
                self._say.holds(held[digest], f"{what}: die Fassung, die der Vermerk nennt")
            else:
                self._say.skips(what, "die Fassung, die der Vermerk nennt, liegt nicht bei")

    def _deletion(self) -> None:
        said = self._read(_DELETION)
        if said is None:
            return
        told = [
            (chain.id, event["at"], event["actor"])
            for chain in self._chains.values()
            if chain.unit_kind in ("document", "batch")
            for event in chain.events
            if event["kind"] == "erased"
        ]
        found = [(one["chain"], one["at"], one["by"]) for one in said["entries"]]
        self._say.judge(
            _DELETION,
            bool(told) and sorted(found) == sorted(told),
            "nennt die Löschungen der Ereignisketten",
            "nennt andere Löschungen als die Ereignisketten",
        )
