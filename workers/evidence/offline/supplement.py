"""The supplementary note: what a clerk's result added later, with a signature of its own."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

from workers.evidence.offline.containers import Unreadable, read_container, read_stamp
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.history import Chain, stated
from workers.evidence.offline.manifest import digest_of_file
from workers.evidence.offline.notes import read_reference
from workers.evidence.offline.openssl import OpenSsl

_ADDED, _ADDED_SEAL = "ergaenzungsvermerk.xml", "ergaenzungsvermerk.p7s"
#: In which event its digests stand, and under which name.
_TOLD = {
    _ADDED: ("confirmation_noted", "supplement"),
    _ADDED_SEAL: ("confirmation_sealed", "supplement_seal"),
}


class Supplement:
    """The supplementary note of one bundle.

    Attributes:
        signer: Certificate of who sealed it, None in it where it does not lie there; None where
            nobody did.
    """

    def __init__(
        self,
        folder: Path,
        findings: Findings,
        openssl: OpenSsl,
        subject: dict[str, Any],
        chain: Chain | None,
    ) -> None:
        """Take the folder, what the bundle says of itself, and the document's chain."""
        self._folder = folder
        self._say = findings
        self._openssl = openssl
        self._subject = subject
        self._chain = chain
        self.signer: tuple[bytes | None] | None = None

    def run(self) -> None:
        """Look at note and signature; a document without them needs none."""
        there = [name for name in _TOLD if self._as_told(name)]
        if _ADDED in there:
            self._refers()
        if there == [*_TOLD]:
            self._signed()
        elif _ADDED_SEAL in there:
            self._say.breaks(_ADDED, "fehlt; die Unterschrift darunter liegt bei")
        elif there:
            self._say.skips(_ADDED, "die Unterschrift darunter liegt nicht bei")

    def _as_told(self, name: str) -> bool:
        """Compare a file with its event and tell whether it is there."""
        kind, made = _TOLD[name]
        path, chain = self._folder / name, self._chain
        told = None if chain is None else stated(chain, kind, made)
        if path.is_file():
            right = f"Ereignis „{kind}“: Prüfsumme stimmt"
            if told is None:
                self._say.skips(name, f"Ereignis „{kind}“: nennt hier keine Prüfsumme")
            else:
                same = told == digest_of_file(path)
                self._say.judge(name, same, right, f"Ereignis „{kind}“: andere Prüfsumme")
            return True
        if chain is not None and not chain.is_erased:
            if told is not None:
                self._say.breaks(name, "fehlt; das Protokoll weiß davon")
            elif any(event["kind"] == kind for event in chain.events):
                self._say.skips(name, f"liegt nicht bei; Ereignis „{kind}“ sagt hier nichts dazu")
        return False

    def _refers(self) -> None:
        try:
            found = read_reference((self._folder / _ADDED).read_bytes())
        except (OSError, ValueError) as error:
            self._say.breaks(_ADDED, f"nicht lesbar: {error}")
            return
        wanted = {"Scanprodukt": self._subject["document"]}
        for part, name in (("PdfSha256", "pdf"), ("VermerkSha256", "note")):
            path = self._folder / str(self._subject[name])
            if self._subject[name] is not None and path.is_file():
                wanted[part] = digest_of_file(path)
        self._say.judge(
            _ADDED,
            all(found.get(part) == value for part, value in wanted.items()),
            "gehört zu diesem Dokument, seiner PDF und seinem Vermerk",
            "gehört zu einem anderen Dokument, einer anderen PDF oder einem anderen Vermerk",
        )

    def _signed(self) -> None:
        note = self._folder / _ADDED
        try:
            encoded = (self._folder / _ADDED_SEAL).read_bytes()
            container = read_container(encoded)
            fits = digest_of_file(note, container.algorithm) == container.stated.hex()
            at = self._stamped(container.stamp, container.signature)
        except (OSError, Unreadable) as error:
            self._say.breaks(_ADDED_SEAL, f"nicht lesbar: {error}")
            return
        if fits and container.size == len(encoded):
            self._say.holds(_ADDED_SEAL, f"gilt dieser {_ADDED}")
            self.signer = (container.signer,)
            self._say.signed_by(container.signer, "Siegel des Ergänzungsvermerks")
            self._openssl.signed(_ADDED_SEAL, encoded, note, at, "Unterschrift")
            self._say.skips(_ADDED_SEAL, "Sperrstatus: Auskünfte dazu liegen nicht bei")
        else:
            self._say.breaks(_ADDED_SEAL, f"unterschreibt nicht diese {_ADDED}")

    def _stamped(self, encoded: bytes | None, signature: bytes) -> dt.datetime | None:
        if encoded is None:
            return None
        stamp = read_stamp(encoded)
        if hashlib.new(stamp.algorithm, signature).digest() != stamp.imprint:
            raise Unreadable("der Zeitstempel gilt einer anderen Unterschrift")
        when = f"Zeitstempel vom {stamp.at.isoformat(timespec='seconds')}"
        self._say.signed_by(stamp.signer, "Zeitstempel des Ergänzungsvermerks")
        self._openssl.stamped(_ADDED_SEAL, stamp, None, when)
        return stamp.at
