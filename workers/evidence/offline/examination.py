"""The order in which a bundle is looked at, and what must fit what."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workers.evidence.offline.claims import Claims
from workers.evidence.offline.containers import StampedBy, Unreadable, read_container
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.history import Chain, read_log, root_from, sealed_with, stated
from workers.evidence.offline.manifest import check_manifest, digest_of_file, read_anew
from workers.evidence.offline.notes import Note, read_note
from workers.evidence.offline.openssl import OpenSsl
from workers.evidence.offline.record import stamps_over
from workers.evidence.offline.records import Records
from workers.evidence.offline.sealed import SealedPdf
from workers.evidence.offline.signers import Signers
from workers.evidence.offline.supplement import Supplement
from workers.evidence.offline.testimony import Testimony

_SUBJECT, _LOG, _PDF = "beweis.json", "protokoll.jsonl", "scanprodukt.pdf"
_NOTES = ("scanvermerk.xml", "transfervermerk.xml")
_SEALED_MANIFEST, _MANIFEST = "manifest.p7s", "manifest.sha256"
_ROOTS = "zertifikate/wurzeln.pem"


class Examination:
    """One bundle and what is found out about it on the way."""

    def __init__(
        self, folder: Path, trust: Path | None, findings: Findings, named: frozenset[str]
    ) -> None:
        """Take the folder of the bundle, the certificates that count, and the house's signers.

        Args:
            folder: Of the bundle.
            trust: Whose certificates count; None takes those in the bundle.
            findings: Where statements go.
            named: Digests of the certificates that the reader names as the house's.
        """
        self._folder = folder
        self._say = findings
        roots = folder / _ROOTS
        self._openssl = OpenSsl(findings, trust, roots if roots.is_file() else None)
        self._given = trust is not None
        self._signers = Signers(findings, named)
        self._sealer: bytes | None = None
        self._bundler: tuple[bytes | None] | None = None
        self._subject: dict[str, Any] = {}
        self._proven_at: dt.datetime | None = None
        self._followed: dict[tuple[str, tuple[bytes, ...]], tuple[StampedBy, ...]] = {}

    def run(self) -> None:
        """Look at everything; statements go to the findings."""
        read_anew()
        check_manifest(self._folder, self._say)
        known = self._read_subject()
        self._sealed_manifest()
        if not known:
            return
        chains = self._log()
        note = self._notes(chains)
        self._records(note)
        self._pdf(chains, note)
        chain = chains.get(self._subject["document"])
        supplement = Supplement(self._folder, self._say, self._openssl, self._subject, chain)
        supplement.run()
        self._who(chain, note, supplement.signer)
        Claims(self._folder, self._say, self._subject, chains, note).run()
        Records(self._folder, self._say, self._subject, chains, note).run()
        Testimony(self._folder, self._say, self._subject, chains).run()
        self._left_out()

    def _who(
        self, chain: Chain | None, note: Note | None, added: tuple[bytes | None] | None
    ) -> None:
        self._signers.judge(self._sealer, self._bundler, added)
        recorded = None if chain is None else sealed_with(chain)
        self._signers.compare_recorded(self._sealer, recorded)
        self._signers.compare_house(self._sealer, note)

    def _read_subject(self) -> bool:
        try:
            self._subject = json.loads((self._folder / _SUBJECT).read_text("utf-8"))
            known = _is_subject(self._subject)
        except (OSError, ValueError, LookupError, TypeError):
            known = False
        if not known:
            self._subject = {}
            self._say.breaks(_SUBJECT, "fehlt oder ist nicht lesbar; mehr lässt sich nicht prüfen")
        return known

    def _sealed_manifest(self) -> None:
        path, content = self._folder / _SEALED_MANIFEST, self._folder / _MANIFEST
        if not path.is_file():
            self._unsealed()
            return
        try:
            encoded = path.read_bytes()
            container = read_container(encoded)
            fits = hashlib.new(container.algorithm, content.read_bytes()).digest()
        except (OSError, Unreadable) as error:
            self._say.breaks(_SEALED_MANIFEST, f"nicht lesbar: {error}")
            return
        if container.size != len(encoded) or fits != container.stated:
            self._say.breaks(_SEALED_MANIFEST, f"unterschreibt nicht diese {_MANIFEST}")
            return
        self._say.holds(_SEALED_MANIFEST, f"gilt dieser {_MANIFEST}")
        self._bundler = (container.signer,)
        self._say.signed_by(container.signer, "Unterschrift des Pakets")
        self._openssl.signed(_SEALED_MANIFEST, encoded, content, None, "Unterschrift des Pakets")
        self._say.skips(_SEALED_MANIFEST, "Sperrstatus: Auskünfte dazu liegen nicht bei")

    def _unsealed(self) -> None:
        by = self._subject.get("sealed_by")
        if by is None:
            self._say.skips(_SEALED_MANIFEST, "das Paket ist nicht unterschrieben")
        else:
            wanted = f"fehlt, obwohl {_SUBJECT} eine Unterschrift nennt ({by})"
            self._say.breaks(_SEALED_MANIFEST, wanted)

    def _log(self) -> dict[str, Chain]:
        try:
            chains = read_log((self._folder / _LOG).read_text("utf-8"))
        except (OSError, ValueError) as error:
            self._say.breaks(_LOG, str(error))
            return {}
        wanted = {self._subject["document"], self._subject["batch"]}
        of_paper = {one for one in chains if one.startswith("paper:")}
        self._say.judge(
            _LOG,
            set(chains) - of_paper == wanted,
            "enthält die Ketten von Dokument und Stapel",
            "enthält nicht genau die Ketten von Dokument, Stapel und Papier",
        )
        for chain in chains.values():
            self._chain(chain)
        return chains

    def _chain(self, chain: Chain) -> None:
        name = f"{_LOG}, Kette {chain.id}"
        for problem in chain.problems:
            self._say.breaks(name, problem)
        if not chain.problems:
            self._say.holds(name, f"{len(chain.events)} Ereignisse, keines verändert")
        if chain.withheld:
            self._say.skips(name, f"Inhalt von {chain.withheld} Ereignissen: liegt nicht bei")
        if not chain.anchors:
            self._say.skips(name, "Tageswurzel: noch keine über diese Kette")
        for anchor in chain.anchors:
            self._anchor(name, chain, anchor)

    def _anchor(self, name: str, chain: Chain, anchor: dict[str, Any]) -> None:
        try:
            length = int(anchor["length"])
            fits = 0 < length <= len(chain.events)
            fits = fits and chain.events[length - 1]["digest"] == anchor["head"]
            fits = fits and anchor["chain"] == chain.id and root_from(anchor) == anchor["root"]
        except (ValueError, LookupError, TypeError):
            fits = False
        where = f"{name}, Tageswurzel {anchor.get('day')}"
        right = f"der Weg von Ereignis {anchor.get('length')} zur Wurzel stimmt"
        if not self._say.judge(where, fits, right, "der Weg führt nicht zur Wurzel"):
            return
        if int(anchor["length"]) < len(chain.events):
            later = len(chain.events) - int(anchor["length"])
            self._say.skips(where, f"{later} spätere Ereignisse: noch unter keiner Tageswurzel")
        if anchor.get("record") is None:
            self._say.skips(where, "Zeitstempel der Wurzel: liegt nicht bei")
            return
        self._stamps(str(anchor["record"]), [bytes.fromhex(anchor["root"])], "die Tageswurzel")

    def _records(self, note: Note | None) -> None:
        """Follow every record; one that was taken away is missing in the manifest."""
        for said in self._subject["records"]:
            files = [self._folder / name for name in said["files"] if _is_inside(name)]
            digests = [digest_of_file(path) for path in files if path.is_file()]
            pages = {} if note is None else note.pages
            digests += [pages.get(str(number), "") for number in said["pages"]]
            what = [*said["files"], *(f"Abbild {number}" for number in said["pages"])]
            read_again = [] if said["pages"] else [path for path in files if path.is_file()]
            stamps = self._stamps(
                said["name"], [bytes.fromhex(one) for one in digests], ", ".join(what), read_again
            )
            if stamps and self._subject["pdf"] in said["files"]:
                self._proven_at = stamps[0].at

    def _stamps(
        self, name: str, digests: list[bytes], what: str, files: Sequence[Path] = ()
    ) -> tuple[StampedBy, ...]:
        """Follow a record, once, and say what it proves of `what`.

        `files` are those with these digests, to be read again for a newer digest.
        """
        question = (name, tuple(digests))
        if question in self._followed:
            return self._followed[question]
        self._followed[question] = ()
        try:
            stamps = stamps_over(
                (self._folder / name).read_bytes(),
                digests,
                lambda other: [bytes.fromhex(digest_of_file(path, other)) for path in files],
            )
        except (OSError, Unreadable) as error:
            self._say.breaks(name, f"beweist nichts über {what}: {error}")
            return ()
        first = stamps[0].at.isoformat(timespec="seconds")
        self._say.holds(name, f"{what}: bestand spätestens {first}, wenn der Zeitstempel gilt")
        later = [*(stamp.at for stamp in stamps[1:]), None]
        for number, (stamp, confirmed) in enumerate(zip(stamps, later), 1):  # noqa: B905 - not in Python 3.9
            self._say.signed_by(stamp.signer, "Zeitstempel der Nachweise")
            self._openssl.stamped(name, stamp, confirmed, f"Zeitstempel {number}")
        self._say.carries("Zeitstempel der Nachweise")
        self._followed[question] = stamps
        return stamps

    def _notes(self, chains: dict[str, Chain]) -> Note | None:
        name = self._subject["note"]
        if name is None:
            self._undeclared(chains, "noted", "note", "ein Vermerk")
            return None
        try:
            content = (self._folder / name).read_bytes()
            note = read_note(content)
        except (OSError, ValueError) as error:
            self._say.breaks(name, f"nicht lesbar: {error}")
            return None
        ids = (note.document, note.batch) == (self._subject["document"], self._subject["batch"])
        self._say.judge(
            name, ids, "gehört zu diesem Dokument", "gehört zu einem anderen Dokument oder Stapel"
        )
        chain = chains.get(self._subject["document"])
        self._as_recorded(name, chain, "noted", "note", digest_of_file(self._folder / name))
        if chain is not None and note.composed is not None:
            said = stated(chain, "recognised", "composed")
            self._compare(name, "PDF vor dem Vermerk", note.composed, said)
        self._sources(name, note)
        return note

    def _undeclared(self, chains: dict[str, Chain], kind: str, made: str, what: str) -> None:
        """Refuse a bundle without something that was made and not erased."""
        chain = chains.get(self._subject["document"])
        if chain is None or chain.is_erased:
            return
        if stated(chain, kind, made) is not None:
            self._say.breaks(_SUBJECT, f"{what} ist nicht genannt; das Protokoll weiß davon")
        elif any(event["kind"] == kind and event["salt"] is None for event in chain.events):
            text = (
                f"ob es gibt, was nicht genannt ist ({what}): Inhalt von „{kind}“ liegt nicht bei"
            )
            self._say.skips(_SUBJECT, text)

    def _as_recorded(
        self, name: str, chain: Chain | None, kind: str, made: str, digest: str
    ) -> None:
        said = None if chain is None else stated(chain, kind, made)
        self._compare(name, f"Ereignis „{kind}“", digest, said)

    def _compare(self, name: str, what: str, found: str, said: str | None) -> None:
        if said is None:
            self._say.skips(name, f"{what}: das Protokoll nennt keine Prüfsumme dazu")
        else:
            self._say.judge(
                name, found == said, f"{what}: Prüfsumme stimmt", f"{what}: andere Prüfsumme"
            )

    def _sources(self, name: str, note: Note) -> None:
        held = {digest_of_file(path) for path in (self._folder / "original-eingang").glob("*")}
        missing = held - set(note.sources)
        if not held:
            self._say.skips(name, "Original: liegt nicht bei, nur seine Prüfsumme steht im Vermerk")
            return
        self._say.judge(
            name,
            not missing,
            "nennt das beiliegende Original",
            "nennt ein anderes Original als das beiliegende",
        )

    def _pdf(self, chains: dict[str, Chain], note: Note | None) -> None:
        name = self._subject["pdf"]
        if name is None:
            self._undeclared(chains, "sealed", "pdf", _PDF)
            return
        path = self._folder / name
        if not path.is_file() or path.stat().st_size == 0:
            self._say.breaks(name, "fehlt oder ist leer")
            return
        chain = chains.get(self._subject["document"])
        self._as_recorded(name, chain, "sealed", "pdf", digest_of_file(path))
        beside = (
            None if note is None else (note, (self._folder / self._subject["note"]).read_bytes())
        )
        sealed = SealedPdf(self._folder, self._subject, self._say, self._openssl)
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            sealed.run(content, beside, self._proven_at)
        self._sealer = sealed.sealer

    def _left_out(self) -> None:
        for absent in self._subject["absent"]:
            self._say.skips(str(absent["part"]), f"fehlt, laut {_SUBJECT}: {absent['reason']}")
        if self._followed:
            reason = "Sperrstatus ihrer Zertifikate: Auskünfte dazu liegen nicht bei"
            self._say.skips("Zeitstempel der Nachweise", reason)
        if not self._given:
            self._say.skips(
                "Zertifikate",
                f"ob die Wurzeln in {_ROOTS} die richtigen sind, sagt nur deren Aussteller;"
                " bitte vergleichen oder mit --trust eigene angeben",
            )


def _is_subject(said: dict[str, Any]) -> bool:
    names = [said["document"], said["batch"]]
    names += [text for one in said["records"] for text in (one["name"], *one["files"])]
    names += [text for absent in said["absent"] for text in (absent["part"], absent["reason"])]
    known = said["pdf"] in (None, _PDF) and said["note"] in (None, *_NOTES)
    return said["version"] == 1 and known and all(_is_inside(name) for name in names)


def _is_inside(name: object) -> bool:
    return isinstance(name, str) and not name.startswith("/") and ".." not in name
