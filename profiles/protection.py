"""What a document class needs before its paper may go, and which measures follow from it.

The need for protection chooses the measures (BSI TR-03138 V1.5, 4.3); a profile may ask for
more and never for less. What the TR leaves open, such as the share of a sample, is our own
choice and is named so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from profiles.section import Section, Text

Need = Literal["normal", "high", "very_high"]
Means = Literal["aseal", "qseal", "aes", "qes"]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Reason = Annotated[str, Field(min_length=10, max_length=4000)]

#: Our choice; the TR sets no number (F 4.1).
_LEAST_DPI: Final = 200
#: The levels that hold a timestamp (ETSI EN 319 142-1, 6).
_STAMPED: Final = ("B-T", "B-LT", "B-LTA")
#: From low to high: a batch takes the maximum of its documents (TR-03138 A, Maximumprinzip).
NEEDS: Final[tuple[Need, ...]] = ("normal", "high", "very_high")


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What a need for the protection of integrity demands at least.

    Attributes:
        qualified: A qualified seal or signature (A.AM.IN.H.1).
        qualified_stamp: A qualified timestamp too (A.AM.IN.SH.2).
        smallest_share: Of the documents a person looks at. The TR demands all at "very high"
            (SH.5) and "clearly more than normal" at "high" (H.7); 0.2 and 0.02 are our choice.
        apart: Scanning and checking by different persons (A.AM.IN.SH.1).
        counted: Every document is counted against an expectation (A.DV.2).
    """

    qualified: bool
    qualified_stamp: bool
    smallest_share: float
    apart: bool
    counted: bool


MEASURES: Final = MappingProxyType(
    {
        "normal": Measures(
            qualified=False, qualified_stamp=False, smallest_share=0.02, apart=False, counted=False
        ),
        "high": Measures(
            qualified=True, qualified_stamp=False, smallest_share=0.2, apart=False, counted=True
        ),
        "very_high": Measures(
            qualified=True, qualified_stamp=True, smallest_share=1.0, apart=True, counted=True
        ),
    }
)


def highest(needs: Iterator[str]) -> Need:
    """Return the highest of some needs, `normal` where there are none."""
    return max((NEEDS[NEEDS.index(need)] for need in needs), key=NEEDS.index, default="normal")


class ProtectionRules(Section):
    """The need for protection of a class (A.G.2), with the reason for it.

    Attributes:
        integrity: Of what is scanned: chooses the measures, see `MEASURES`.
        confidentiality: Recorded, shown and inherited by text and intermediate results.
        availability: Recorded and shown.
        reason: Why, in sentences an auditor can follow.
    """

    integrity: Need
    confidentiality: Need
    availability: Need
    reason: Reason


class ProcedureRules(Section):
    """The written procedure (Verfahrensdokumentation, A.G.1) the class is scanned under.

    Attributes:
        edition: The variant (Ausprägung), such as the place or the stream of mail.
        as_of: Its date (Stand), JJJJ-MM-TT.
        maintainer: Which office keeps it.
        sha256: Of the document that a named person released; the ledger has to know it.
    """

    name: Text
    edition: Text
    version: Text
    as_of: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    maintainer: Text
    sha256: Digest


class QualityRules(Section):
    """How the match of scan and paper is checked (A.SC.8, A.NB.3).

    Attributes:
        check: `before_delivery` lets the documents of a batch wait for its sample;
            `by_clerk` delivers first and counts as copying until the clerk's result is there.
        match: `both` bildlich und inhaltlich; `content` inhaltlich only, where the law asks no
            more and colour has no meaning.
        share: Of a batch's documents that are drawn, before recent faults raise it.
        minimum: So many at least, or all.
        clean_batches: At "high" everything is looked at until so many batches in a row had no
            fault; then `share`. Our choice, the TR names no figure.
    """

    check: Literal["none", "before_delivery", "by_clerk"] = "none"
    match: Literal["both", "content"] = "both"
    share: float = Field(0.04, gt=0, le=1)
    minimum: int = Field(3, ge=1, le=100_000)
    clean_batches: int = Field(20, ge=1, le=10_000)


class PaperRules(Section):
    """What happens to the paper and when at the earliest (A.O.1i; § 298a ZPO: six months).

    Attributes:
        after: `destroy` after release by a named person, or `return` to the sender.
        waiting_days: From delivery until destruction may be released.
        archive: What the archive decided on the paper: `disposable` (kassabel), `paper` (das
            Papier ist archivwürdig and is never destroyed), `general_rule` (Generalregelung,
            named in `archive_reference`), `open`: not decided, so nothing is destroyed.
        archive_reference: Where that decision stands.
    """

    after: Literal["destroy", "return"] = "destroy"
    waiting_days: int = Field(183, ge=0, le=36_600)
    archive: Literal["open", "disposable", "paper", "general_rule"] = "open"
    archive_reference: Text | None = None

    @model_validator(mode="after")
    def _decision_has_reference(self) -> Self:
        if self.archive != "open" and self.archive_reference is None:
            message = (
                f'archive = "{self.archive}" braucht archive_reference (wo die Entscheidung steht)'
            )
            raise ValueError(message)
        return self


def too_weak(
    need: Need,
    *,
    means: Means | None,
    stamp: str | None,
    quality: QualityRules,
    level: str | None,
    minimum_dpi: int,
) -> Iterator[str]:
    """Yield German sentences on what asks for less than the need for protection demands."""
    measures = MEASURES[need]
    if measures.qualified and means not in ("qseal", "qes"):
        yield f"Schutzbedarf {need} verlangt sealing.means qseal oder qes (TR-03138 A.AM.IN.H.1)"
    if measures.qualified_stamp and stamp != "qts":
        yield f'Schutzbedarf {need} verlangt sealing.stamp = "qts" (TR-03138 A.AM.IN.SH.2)'
    if quality.share < measures.smallest_share:
        least = f"{measures.smallest_share:g}"
        yield f"quality.share muss bei Schutzbedarf {need} mindestens {least} sein"
    # Nobody would have to look at each page (SH.5).
    if measures.apart and quality.check == "by_clerk":
        yield f'Schutzbedarf {need} verlangt quality.check = "before_delivery"'
    # Without a level the configuration decides, and that may be B-B.
    if need != "normal" and level not in _STAMPED:
        yield f'Schutzbedarf {need} verlangt sealing.level "B-T", "B-LT" oder "B-LTA"'
    if minimum_dpi < _LEAST_DPI:
        yield f"checking.minimum_dpi unter {_LEAST_DPI} zeigt für ersetzendes Scannen zu wenig"
