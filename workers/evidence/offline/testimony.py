"""What the records of batch, paper and checks say, held against the events that tell of it.

Whoever writes a bundle writes these files. What the event chains bear out is compared; what
nothing here bears out is named, for then only whoever signed the bundle answers for it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workers.evidence.offline.findings import Findings
from workers.evidence.offline.history import Chain, as_one_text
from workers.evidence.offline.manifest import digest_of_file

_PAPER, _PAPER_CHAIN = "vernichtung.json", "paper:"
_CHECKED, _ARRIVED = "pruefberichte/kontrolle.json", "pruefberichte/eingang.json"
_SEAL_REPORT = "pruefberichte/siegel.json"
_WITHHELD = "der Inhalt des Ereignisses liegt nicht bei"
_TOLD_OF_BATCH = (
    *("channel", "profile", "profile_sha256", "operator", "received_at", "received_at_source"),
    *("scanned_at", "device", "storage_place", "expected_sheets", "expected_consignments"),
    "sides",
)
_STAGES_OF_PAPER = frozenset(
    {"scanning", "stored", "requested", "returned", "released", "destroyed"}
)
_OF_EVENT = ("seq", "kind", "at", "actor")


class Testimony:
    """The files of one bundle of which events tell."""

    def __init__(
        self, folder: Path, findings: Findings, subject: dict[str, Any], chains: dict[str, Chain]
    ) -> None:
        """Take the folder and what is known of the bundle so far."""
        self._folder = folder
        self._say = findings
        self._document = str(subject["document"])
        self._batch_id = str(subject["batch"])
        self._erased = bool(subject["erased"])
        self._chains = chains

    def run(self) -> None:
        """Look at each that is there."""
        self._batch()
        self._paper()
        self._checked()
        self._arrived()
        self._seal_report()

    def _read(self, name: str) -> Any:
        path = self._folder / name
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            self._say.breaks(name, "nicht lesbar")
            return None

    def _event(self, chain: str, kind: str) -> dict[str, Any] | None:
        """Return the last event of a kind."""
        events = self._chains[chain].events if chain in self._chains else []
        return next((one for one in reversed(events) if one["kind"] == kind), None)

    def _payload(self, chain: str, kind: str) -> dict[str, Any] | None:
        event = self._event(chain, kind)
        return event["payload"] if event and isinstance(event["payload"], dict) else None

    def _batch(self) -> None:
        name = f"stapel/{self._batch_id}.json"
        said, told = self._read(name), self._payload(self._batch_id, "received")
        if not isinstance(said, dict):
            return  # said where pages and documents are compared
        begun = self._event(self._batch_id, "received")
        if begun is not None:
            self._compare(name, "Registrierung", _same(said["registered_at"], begun["at"]))
        if told is None:
            self._say.doubts(name, f"Angaben zum Stapel: {_WITHHELD}")
        else:
            self._envelope(name, said, told)
        text = "Rollen und Blätter der Seiten, Stichprobe, Auffälligkeiten, fremde Abbilder"
        self._say.doubts(name, f"{text}: davon sagt kein beiliegendes Ereignis etwas")

    def _envelope(self, name: str, said: dict[str, Any], told: dict[str, Any]) -> None:
        # A date of receipt that was asked of a person is said by a later event.
        later = self._payload(self._batch_id, "inspected") or {}
        supplied = {key: later[key] for key in _TOLD_OF_BATCH if key in later}
        known = {**told, **supplied}
        keys = [key for key in _TOLD_OF_BATCH if key in known]
        wrong = [key for key in keys if not _same(said.get(key), known[key])]
        self._say.judge(
            name,
            not wrong,
            "Angaben zum Stapel wie im Ereignis „received“",
            f"{', '.join(wrong)}: anders als im Ereignis „received“",
        )
        files = {one["ordinal"]: one for one in said["sources"]}
        right = all(
            self._is_source(files.get(ordinal), one)
            for ordinal, one in enumerate(told["sources"], 1)
        )
        self._compare(name, "Dateien", right)

    def _is_source(self, said: dict[str, Any] | None, told: dict[str, Any]) -> bool:
        if said is None:
            return False
        named = said["name"] is None or _clean(told["name"]) == said["name"]
        gone = said["sha256"] is None and self._erased
        same = (said["sha256"], said["size"]) == (told["sha256"], told["size"] or None)
        return named and (gone or same)

    def _compare(self, name: str, what: str, passed: bool) -> None:
        wrong = f"{what}: anders als im Ereignis „received“"
        self._say.judge(name, passed, f"{what} wie im Ereignis „received“", wrong)

    def _paper(self) -> None:
        chains = {one: self._chains[one] for one in self._chains if one.startswith(_PAPER_CHAIN)}
        if not (self._folder / _PAPER).is_file():
            if chains:
                self._say.breaks(_PAPER, "fehlt; das Protokoll weiß von Papier")
            return
        said = self._read(_PAPER)
        if said is None:
            return
        told = self._payload(self._batch_id, "received")
        if told is None:
            self._say.doubts(_PAPER, f"Ablageort des Stapels: {_WITHHELD}")
        else:
            same = _same(said["storage_place"], told["storage_place"])
            self._say.judge(
                _PAPER, same, "Ablageort wie angenommen", "ein anderer Ablageort als angenommen"
            )
        self._units(said["paper"], chains)

    def _units(self, units: list[dict[str, Any]], chains: dict[str, Chain]) -> None:
        for one in units:
            chain = chains.pop(f"{_PAPER_CHAIN}{one['id']}", None)
            if chain is None:
                self._say.doubts(_PAPER, f"Papier {one['id']}: seine Ereigniskette liegt nicht bei")
            else:
                self._unit(one, chain)
        for id_ in sorted(chains):
            self._say.breaks(_PAPER, f"verschweigt {id_}; das Protokoll weiß davon")
        if not units:
            text = "was aus dem Papier wurde: dazu liegt keine Ereigniskette bei"
            self._say.doubts(_PAPER, text)

    def _unit(self, said: dict[str, Any], chain: Chain) -> None:
        name = f"Papier {said['id']}"
        told = [{key: event[key] for key in _OF_EVENT} for event in chain.events]
        found = [{key: one[key] for key in _OF_EVENT} for one in said["history"]]
        shown = [
            event["salt"] is None or event["payload"] == one["payload"]
            for event, one in zip(chain.events, said["history"])  # noqa: B905 - not in Python 3.9
        ]
        if not self._say.judge(
            _PAPER,
            told == found and all(shown),
            f"{name}: Verlauf wie in seiner Ereigniskette",
            f"{name}: ein anderer Verlauf als in seiner Ereigniskette",
        ):
            return
        if chain.withheld:
            self._say.doubts(_PAPER, f"{name}: Stand und Ort; Inhalte liegen nicht bei")
            return
        wrong = [key for key, value in _heard(chain).items() if said[key] != value]
        self._say.judge(
            _PAPER,
            not wrong,
            f"{name}: Stand und Ort wie in seiner Ereigniskette",
            f"{name}: {', '.join(wrong)} anders als in seiner Ereigniskette",
        )

    def _checked(self) -> None:
        said, told = self._read(_CHECKED), self._payload(self._document, "checked")
        if said is None:
            return
        if told is None or "facts_sha256" not in told:
            self._say.doubts(_CHECKED, f"Ereignis „checked“: {_WITHHELD}")
            return
        self._say.judge(
            _CHECKED,
            _digest_of_facts(said) == told["facts_sha256"],
            "wie im Ereignis „checked“",
            "anders, als das Ereignis „checked“ festhält",
        )

    def _arrived(self) -> None:
        told = (self._payload(self._batch_id, "inspected") or {}).get("sources_sha256", {})
        for one in self._read(_ARRIVED) or ():
            recorded = told.get(str(one.get("ordinal")))
            if recorded is None:
                self._say.doubts(_ARRIVED, f"Datei {one['sha256']}: davon sagt kein Ereignis etwas")
                continue
            found = _digest_of_facts({key: one[key] for key in ("kind", "pages", "facts")})
            wrong = "anders, als das Ereignis „inspected“ festhält"
            where = f"Datei {one['ordinal']}"
            passed = found == recorded
            right = f"{where}: wie im Ereignis „inspected“"
            self._say.judge(_ARRIVED, passed, right, f"{where}: {wrong}")
            self._report(one)

    def _report(self, source: dict[str, Any]) -> None:
        """Compare the validation report of a source with the digest in its facts."""
        name = f"pruefberichte/signaturen-{source['ordinal']:03}.xml"
        path = self._folder / name
        if path.is_file():
            told = source["facts"].get("validation", {}).get("report_sha256")
            same = digest_of_file(path) == told
            self._say.judge(name, same, f"der Bericht aus {_ARRIVED}", "ein anderer Bericht")

    def _seal_report(self) -> None:
        said = self._read(_SEAL_REPORT)
        if said is not None:
            text = "was fand, wer das Paket schrieb; hier wird neu geprüft, was sich prüfen lässt"
            self._say.doubts(_SEAL_REPORT, text)


def _heard(chain: Chain) -> dict[str, Any]:
    """Return where paper is and what became of it, as its events say."""
    heard: dict[str, Any] = {}
    for event in chain.events:
        said = event["payload"] or {}
        if event["kind"] in ("filed", "erased"):
            heard.update(stage=said["stage"], place=said["place"])
        elif event["kind"] in _STAGES_OF_PAPER:
            heard.update(stage=event["kind"], changed_at=event["at"], changed_by=event["actor"])
            if event["kind"] == "stored":
                heard["place"] = said["place"]
    return heard


def _digest_of_facts(facts: Any) -> str:
    return hashlib.sha256(as_one_text(facts).encode()).hexdigest()


def _same(said: Any, told: Any) -> bool:
    if said == told or said is None or told is None:
        return bool(said == told)
    if _clean(told) == said:
        return True
    moments = list(_moments(said, told))
    return len(moments) == len({said, told}) and moments[0] == moments[1]


def _moments(*texts: Any) -> Iterator[dt.datetime]:
    for text in texts:
        try:
            moment = dt.datetime.fromisoformat(text)
        except (TypeError, ValueError):
            return
        if moment.tzinfo is not None:
            yield moment


def _clean(value: Any) -> Any:
    """Return a text as the ledger keeps it: what no database takes is replaced."""
    if not isinstance(value, str):
        return value
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "\ufffd")
