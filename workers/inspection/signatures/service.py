"""A validation service outside: it gets the file and answers with a report.

Any service that takes the bytes of one file by POST and answers with a validation report (ETSI
TS 119 102-2, XML) or with the JSON described in `docs/validation.md`. What it says stands
beside our own result and never in its place. Where it does not answer, that is said and the
delivery goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from defusedxml import ElementTree

from ingest.document import Facts
from workers.asking import Bounds, NotAnswered, ask
from workers.inspection.signatures.verdicts import short

_MAIN: Final = "{http://uri.etsi.org/19102/v1.2.1#}MainIndication"
_STATUS: Final = "{http://uri.etsi.org/19102/v1.2.1#}SignatureValidationStatus"
_SUB: Final = "{http://uri.etsi.org/19102/v1.2.1#}SubIndication"
_MOST: Final = 16 * 1024**2
_INDICATIONS: Final = ("TOTAL_PASSED", "TOTAL_FAILED", "INDETERMINATE")
_SAID: Final = {
    "TOTAL_PASSED": "gültig",
    "TOTAL_FAILED": "nicht gültig",
    "INDETERMINATE": "nicht abschließend prüfbar",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        host: Who was asked.
        signatures: Indication and subindication of each signature; None without an answer.
        problem: Why there is none; German.
        report: The answer as it came, to be kept.
        media_type: Of the report.
    """

    host: str
    signatures: tuple[tuple[str, str | None], ...] | None = None
    problem: str = ""
    report: bytes = b""
    media_type: str = "application/xml"

    @property
    def worst(self) -> str | None:
        """The indication of the file as a whole; None without signatures or answer."""
        found = {one for one, _ in self.signatures or ()}
        return next(
            (one for one in ("TOTAL_FAILED", "INDETERMINATE", "TOTAL_PASSED") if one in found), None
        )

    def sentence(self) -> str:
        """Return what a clerk is told."""
        if self.signatures is None:
            return f"Prüfdienst {self.host} nicht erreichbar: {self.problem}."
        if self.worst is None:
            return f"Prüfdienst {self.host}: keine Signatur gefunden."
        reasons = ", ".join(dict.fromkeys(sub for _, sub in self.signatures if sub))
        because = f" ({reasons})" if reasons else ""
        return f"Prüfdienst {self.host}: Signatur geprüft: {_SAID[self.worst]}{because}."

    def facts(self) -> Facts:
        """Return it as facts."""
        found = self.signatures
        return {
            "host": self.host,
            "answered": found is not None,
            "signatures": [{"indication": one, "subindication": sub} for one, sub in found or ()],
            "text": self.sentence(),
        }


def asked(url: str, path: Path, name: str, media_type: str, seconds: float) -> Answer:
    """Hand a file to the service; whatever goes wrong becomes an answer without result.

    Args:
        url: Of the service.
        path: The file, as it came.
        name: Its name, for the service's report.
        media_type: What it is.
        seconds: Patience.
    """
    host = urlsplit(url).hostname or url
    headers = {
        "Content-Type": media_type,
        "Accept": "application/xml, application/json",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
    }
    try:
        content = ask(url, path.read_bytes(), headers, Bounds(seconds=seconds, most=_MOST))
    except NotAnswered as error:
        return Answer(host=host, problem=short(str(error)))
    try:
        if content.lstrip()[:1] == b"{":
            found, kind = _of_json(json.loads(content)), "application/json"
        else:
            found, kind = _of_xml(content), "application/xml"
    except (ValueError, TypeError, KeyError, AttributeError, SyntaxError) as error:
        return Answer(host=host, problem=f"die Antwort ist kein Prüfbericht ({short(str(error))})")
    return Answer(host=host, signatures=found, report=content, media_type=kind)


def _of_json(answer: Any) -> tuple[tuple[str, str | None], ...]:
    return tuple(
        (_indication(one["indication"]), _sub(one.get("subindication")))
        for one in answer["signatures"]
    )


def _of_xml(content: bytes) -> tuple[tuple[str, str | None], ...]:
    root = ElementTree.fromstring(content)
    if root.tag.rpartition("}")[2] != "ValidationReport":
        message = f"document element {root.tag}"
        raise ValueError(message)
    # A timestamp's own report stands among the objects, which say nothing about the file.
    reports = root.iterfind(f"*/{_STATUS}")
    return tuple(
        (_indication(one.findtext(_MAIN) or ""), _sub(one.findtext(_SUB))) for one in reports
    )


def _indication(stated: str) -> str:
    found = stated.strip().rpartition(":")[2].upper().replace("-", "_")
    found = {"PASSED": "TOTAL_PASSED", "FAILED": "TOTAL_FAILED"}.get(found, found)
    if found not in _INDICATIONS:
        message = f"indication {stated!r}"
        raise ValueError(message)
    return found


def _sub(stated: Any) -> str | None:
    return short(str(stated).strip().rpartition(":")[2].upper()) if stated else None
