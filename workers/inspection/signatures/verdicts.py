"""What was found about one signature, as facts and as German sentences.

The three main indications are those of ETSI EN 319 102-1, clause 5.1.3. *Failed* is said only
where digest, mathematics, revocation or form speak against the signature; whatever could not
be looked at to the end is *indeterminate*. Nobody is told that something was forged.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from ingest.document import Facts

Indication = Literal["TOTAL_PASSED", "TOTAL_FAILED", "INDETERMINATE"]
Modification = Literal["none", "evidence", "forms", "annotations", "other", "unclear"]

#: How much of a name or message of a stranger is repeated.
_LONGEST: Final = 200
#: What may follow a signature without anybody having to look.
HARMLESS: Final = frozenset({"none", "evidence", "forms"})
_SAID: Final[MappingProxyType[str, str]] = MappingProxyType(
    {
        "TOTAL_PASSED": "gültig",
        "TOTAL_FAILED": "nicht gültig",
        "INDETERMINATE": "nicht abschließend prüfbar",
    }
)
#: Why, by subindication of EN 319 102-1.
_REASONS: Final = MappingProxyType(
    {
        "FORMAT_FAILURE": "die Signatur ist nicht so aufgebaut, wie es die Norm verlangt",
        "HASH_FAILURE": "der Inhalt ist nicht der, der signiert wurde",
        "SIG_CRYPTO_FAILURE": "die Signatur passt nicht zum Zertifikat des Unterzeichners",
        "REVOKED": "das Zertifikat war bei der Signatur gesperrt",
        "NOT_YET_VALID": "das Zertifikat galt bei der Signatur noch nicht",
        "SIG_CONSTRAINTS_FAILURE": "Angaben der Signatur genügen den Regeln nicht",
        "CHAIN_CONSTRAINTS_FAILURE": "die Zertifikate genügen den Regeln nicht",
        "CERTIFICATE_CHAIN_GENERAL_FAILURE": "zu den Zertifikaten fehlt eine Auskunft, etwa über"
        " Sperrungen",
        "CRYPTO_CONSTRAINTS_FAILURE": "ein Verfahren der Signatur gilt nicht mehr als sicher",
        "CRYPTO_CONSTRAINTS_FAILURE_NO_POE": "ein Verfahren der Signatur gilt nicht mehr als"
        " sicher",
        "EXPIRED": "das Zertifikat war bei der Signatur abgelaufen",
        "NO_SIGNING_CERTIFICATE_FOUND": "das Zertifikat des Unterzeichners liegt nicht bei",
        "NO_CERTIFICATE_CHAIN_FOUND": "der Aussteller ist dieser Stelle nicht als vertrauenswürdig"
        " bekannt",
        "REVOKED_NO_POE": "das Zertifikat ist gesperrt, und nichts beweist, dass die Signatur"
        " älter ist",
        "REVOKED_CA_NO_POE": "ein Aussteller ist gesperrt, und nichts beweist, dass die Signatur"
        " älter ist",
        "OUT_OF_BOUNDS_NO_POE": "das Zertifikat gilt heute nicht, und für seine Zeit fehlen"
        " Beweise",
        "OUT_OF_BOUNDS_NOT_REVOKED": "das Zertifikat gilt heute nicht; gesperrt war es nicht",
        "REVOCATION_OUT_OF_BOUNDS_NO_POE": "die Sperrauskunft fällt nicht in die nötige Zeit",
        "NO_POE": "nichts beweist, wann die Signatur entstand",
        "TIMESTAMP_ORDER_FAILURE": "die Zeitstempel widersprechen einander",
        "TRY_LATER": "eine Sperrauskunft aus der nötigen Zeit liegt nicht vor",
        "SIGNED_DATA_NOT_FOUND": "der signierte Inhalt liegt nicht bei",
        "POLICY_PROCESSING_ERROR": "die Regeln der Signatur sind nicht auswertbar",
        "SIGNATURE_POLICY_NOT_AVAILABLE": "die Regeln der Signatur liegen nicht vor",
        "GENERIC": "die Prüfung ließ sich nicht zu Ende führen",
    }
)
_CHANGES: Final = MappingProxyType(
    {
        "forms": "danach wurden Felder ausgefüllt oder weitere Signaturen angebracht",
        "annotations": "danach wurden Anmerkungen angebracht",
        "other": "danach wurde die Datei verändert",
        "unclear": "was die Signatur umfasst, ist nicht sicher festzustellen",
    }
)
_LOOK: Final = "ein Mensch muss hinsehen"
_QUALIFIED: Final = MappingProxyType(
    {
        "signature": "qualifiziertes Zertifikat für Signaturen",
        "seal": "qualifiziertes Zertifikat für Siegel",
        "website": "qualifiziertes Zertifikat, aber für Webseiten",
    }
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found about one signature.

    Attributes:
        form: What kind it is: `PAdES`, `PDF`, `CAdES`, `CMS`, `S/MIME`, `ASiC-E`, `ASiC-S`,
            or `document_timestamp`.
        level: Baseline level as far as the file carries what belongs to it, None where the
            signature is no AdES.
        subindication: Of EN 319 102-1; None where it passed.
        detail: What the validator said, English; for whoever looks closer.
        intact: Digest and signature fit the signed bytes; None where that was not seen.
        claimed_at: When the signer says that it was made.
        proven_at: No later than this, by a timestamp that was validated.
        qualified: See `workers.trust.qualification`.
        modification: What was done to a PDF afterwards; None where there is no such thing.
        look: A person must look, whatever the indication.
        report: pyHanko's own report about it, XML; no fact.
    """

    form: str
    level: str | None = None
    indication: Indication
    subindication: str | None = None
    detail: str = ""
    intact: bool | None = None
    field: str | None = None
    signer: str | None = None
    certificate_sha256: str | None = None
    claimed_at: dt.datetime | None = None
    proven_at: dt.datetime | None = None
    qualified: Facts | None = None
    modification: Modification | None = None
    look: bool = False
    report: str | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether it failed, or a person must look for another reason."""
        return self.look or self.indication == "TOTAL_FAILED"

    def facts(self) -> Facts:
        """Return it as facts, with its German sentence."""
        return {
            "format": self.form,
            "level": self.level,
            "indication": self.indication,
            "subindication": self.subindication,
            "detail": short(self.detail),
            "intact": self.intact,
            "field": None if self.field is None else short(self.field),
            "signer": self.signer,
            "certificate_sha256": self.certificate_sha256,
            "claimed_at": None if self.claimed_at is None else self.claimed_at.isoformat(),
            "proven_at": None if self.proven_at is None else self.proven_at.isoformat(),
            "qualified": self.qualified or {"answer": "unknown"},
            "modification": self.modification,
            "look": self.is_suspect,
            "text": self.sentence(),
        }

    def sentence(self) -> str:
        """Return what a clerk is told."""
        what = "Zeitstempel" if self.form == "document_timestamp" else "Signatur"
        told = f"{what} geprüft: {_SAID[self.indication]}"
        if self.subindication is not None:
            told += f" ({_REASONS.get(self.subindication, self.subindication)})"
        if self.indication == "INDETERMINATE" and self.intact:
            told += "; der signierte Inhalt ist unverändert"
        told += "".join(f"; {part}" for part in self._particulars())
        changed = _CHANGES.get(self.modification or "")
        if changed:
            told += f"; {changed}"
        return f"{told}; {_LOOK}." if self.look else f"{told}."

    def _particulars(self) -> list[str]:
        said = []
        if self.signer:
            said.append(f"Zertifikat: {self.signer}")
        if self.proven_at is not None:
            said.append(f"nachgewiesen vor {self.proven_at:%d.%m.%Y %H:%M} UTC")
        elif self.claimed_at is not None:
            said.append(f"nach eigener Angabe vom {self.claimed_at:%d.%m.%Y}")
        answer = (self.qualified or {}).get("answer")
        if self.indication == "TOTAL_PASSED" and self.qualified is not None:
            if answer == "yes":
                said.append(_QUALIFIED[self.qualified["kind"]])
            elif answer == "no":
                said.append("kein qualifiziertes Zertifikat")
            else:
                said.append(f"ob qualifiziert, ist unbekannt: {self.qualified['reason']}")
        return said


def broken_off(form: str, error: BaseException, **known: Any) -> Verdict:
    """Return the verdict where the validator gave up: nothing is known, a person must look."""
    return Verdict(
        form=form,
        indication="INDETERMINATE",
        subindication="GENERIC",
        detail=f"{type(error).__name__}: {error}",
        look=True,
        **known,
    )


def malformed(form: str, detail: str, **known: Any) -> Verdict:
    """Return the verdict about something that is no signature of its format."""
    return Verdict(
        form=form,
        indication="TOTAL_FAILED",
        subindication="FORMAT_FAILURE",
        detail=detail,
        **known,
    )


def looked_at(verdict: Verdict, modification: Modification, *, allowed: bool) -> Verdict:
    """Return the verdict with what happened to the file afterwards; `allowed` by its signer."""
    look = verdict.look or modification not in HARMLESS or not allowed
    return replace(verdict, modification=modification, look=look)


def short(text: str) -> str:
    """Return one line of what a stranger wrote, of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
