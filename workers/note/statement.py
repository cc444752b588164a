"""What may be said of the match of scan and paper, and nothing beyond what happened.

TR-03138 V1.5, A.NB.4f, wants the match stated, visually (bildlich) and by content (inhaltlich).
Who is told of a person's look that did not take place is deceived, so there are exactly three
grounds: a person looked at this document; the sample of its batch was passed without fault and
this document was not among it; nobody looked yet, and then nothing is confirmed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ingest.document import Assignment, Facts, Wait
from ingest.errors import NotConfirmed

_GONE_WRONG = frozenset({"stopped", "refused"})


class Ground(enum.StrEnum):
    """What the statement rests on, in the note's own words."""

    LOOKED_AT = "dieses Dokument geprüft"
    SAMPLE = "Stichprobe des Stapels"
    NONE = "noch nicht bestätigt"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The match of one scan product with its paper.

    Attributes:
        visual: Bildliche Übereinstimmung is confirmed.
        content: Inhaltliche Übereinstimmung is confirmed.
        ground: What that rests on.
        text: The same in German sentences, with who, when and how many.
    """

    visual: bool
    content: bool
    ground: Ground
    text: str

    @property
    def treatment(self) -> str:
        """`ersetzend`, or `kopierend` as long as nothing is confirmed (F 5.1)."""
        return "ersetzend" if self.content else "kopierend"

    def facts(self) -> Facts:
        """Return what the ledger keeps of the statement."""
        return {"visual": self.visual, "content": self.content, "ground": str(self.ground)}


def awaited(quality: Facts) -> Wait | None:
    """Return what the note waits for: the check that has to come first.

    Raises:
        NotConfirmed: The check is over and ended badly.
    """
    state = quality.get("state")
    if state == "open":
        return Wait(reason="Qualitätssicherung: Die Stichprobe des Stapels ist noch offen.")
    if state in _GONE_WRONG:
        whose = "dieses Dokuments" if quality.get("selected") else "des Stapels"
        text = (
            f"Die Prüfung {whose} gegen das Papier wurde nicht bestanden. Es wird nichts "
            "gesichert. Bitte nachscannen und neu prüfen oder das Dokument zurückweisen."
        )
        code = "quality_stopped" if state == "stopped" else "quality_refused"
        raise NotConfirmed(f"quality is {state}", operator_text=text, code=code)
    return None


def statement(assignment: Assignment) -> Statement:
    """Return what can be said of the match, by what `assignment.quality` says has happened.

    Raises:
        NotConfirmed: The verdict was bad, or nobody looked at anything of a sample that passed.
    """
    quality = assignment.quality
    by_content_only = assignment.profile["quality"]["match"] == "content"
    verdict = quality.get("verdict")
    if quality.get("state") in ("passed", "confirmed") and verdict is not None:
        return _looked_at(verdict, by_content_only=by_content_only)
    if quality.get("state") == "passed" and not quality.get("selected"):
        _require_looked_into(quality)
        return _sampled(quality["sample"], by_content_only=by_content_only)
    return Statement(
        visual=False,
        content=False,
        ground=Ground.NONE,
        text=(
            "Übereinstimmung noch nicht bestätigt: Die Prüfung erfolgt durch die Sachbearbeitung "
            "nach der Zustellung. Bis zu deren Ergebnis, das als Ergänzungsvermerk zu dieser "
            "Datei tritt, gilt dieses Scanprodukt als Kopie; das Papier bleibt maßgeblich und "
            "darf nicht vernichtet werden."
        ),
    )


def _require_looked_into(quality: Facts) -> None:
    if quality.get("checked_by") and (quality.get("sample") or {}).get("size"):
        return
    text = (
        "Die Stichprobe des Stapels ist abgeschlossen, ohne dass eine Person ein Dokument "
        "geprüft hat. Es wird nichts bestätigt. Bitte dieses Dokument neu scannen (»rescan«) "
        "und prüfen lassen oder zurückweisen."
    )
    raise NotConfirmed("nobody looked at the sample", operator_text=text)


def _looked_at(verdict: Facts, *, by_content_only: bool) -> Statement:
    visual, content = bool(verdict["visual"]), bool(verdict["content"])
    if not content or not (visual or by_content_only):
        message = f"a verdict of {visual=} {content=} confirms nothing"
        text = (
            "Die Prüfung dieses Dokuments gegen das Papier wurde nicht bestanden. Bitte "
            "nachscannen oder zurückweisen."
        )
        raise NotConfirmed(message, operator_text=text)
    text = (
        f"Dieses Dokument wurde durch {verdict['by']} geprüft. Das Scanprodukt stimmt mit dem "
        f"Papier {_in_words(visual=visual)} überein."
    )
    return Statement(visual=visual, content=content, ground=Ground.LOOKED_AT, text=text)


def _sampled(sample: Facts, *, by_content_only: bool) -> Statement:
    visual = not by_content_only
    text = (
        f"Stichprobe des Stapels ({sample['size']} von {sample['population']} Dokumenten) ohne "
        "offenen Fehler abgeschlossen; dieses Dokument wurde nicht einzeln geprüft. Auf dieser "
        f"Grundlage stimmt das Scanprodukt mit dem Papier {_in_words(visual=visual)} überein."
    )
    return Statement(visual=visual, content=True, ground=Ground.SAMPLE, text=text)


def _in_words(*, visual: bool) -> str:
    if visual:
        return "bildlich und inhaltlich"
    return "inhaltlich (eine bildliche Übereinstimmung ist für diese Klasse nicht bestätigt)"
