"""What a profile may say, and nothing else.

A profile decides by data how an arrival is treated: where it is cut, what is recognised,
what is checked, sealed and delivered, and to whom. An unknown key is refused, because a
mistyped rule that is silently ignored sends letters to the wrong desk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from ingest.document import Priority
from profiles.outgoing import OutgoingRules
from profiles.protection import (
    PaperRules,
    ProcedureRules,
    ProtectionRules,
    QualityRules,
    too_weak,
)
from profiles.routing import RoutingRules
from profiles.scanning import ScanRules, contradictions
from profiles.sealing import SealingRules
from profiles.section import Section, Text

#: Profile names are folder names of the inbox.
NAME_PATTERN: Final = r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?"
#: What each class of patch code does unless the profile says otherwise. 1 and 6, 3 and T are
#: mirror images, which a sheet fed the other way round swaps: each pair is one class.
PATCHES: Final = MappingProxyType({"T": "document", "2": "document", "1": "ignore", "4": "ignore"})
#: Begins the action of a patch code that switches to another profile.
PROFILE_ACTION: Final = "profile:"
_MIRRORED: Final = MappingProxyType({"3": "T", "6": "1"})
#: What is not done with outgoing documents.
_IDLE: Final = (
    *("intake", "separation", "recognition", "image", "checking", "note", "routing", "delivery"),
    *("quality", "paper", "scan"),
)
_LANGUAGE: Final = r"[A-Za-z]+(_[A-Za-z]+)*(/[A-Za-z]+)?"

Language = Annotated[str, Field(pattern=f"^{_LANGUAGE}$", max_length=40)]
Models = Annotated[tuple[Language, ...], Field(strict=False, min_length=1, max_length=8)]
ProfileName = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
Cut = Literal["sheet", "asn", "blank", "count"]


class IntakeRules(Section):
    """What must be known about the receipt.

    Attributes:
        received_at: `required` holds an arrival without a date of receipt, `recorded` notes
            "nicht erfasst", `registration` takes the moment of registration (electronic
            arrivals), `not_applicable` is for files that are nobody's incoming mail.
        origin: `scan` for what the house's own devices made, to which the rules for scanning
            apply; `electronic` for what others sent, which is never stopped for its form.
    """

    received_at: Literal["required", "recorded", "registration", "not_applicable"] = "recorded"
    origin: Literal["scan", "electronic"] = "scan"

    @property
    def is_electronic(self) -> bool:
        """Whether arrivals are others' files: what is registered on arrival is no paper."""
        return self.origin == "electronic" or self.received_at == "registration"


class SeparationRules(Section):
    """Where a stack is cut into documents.

    Attributes:
        enabled: False keeps every source whole.
        by: `sheet` cuts at the known separator sheets, `asn` starts a document at each label,
            `blank` cuts at blank sheets, which are left out, `count` after every so many sheets.
        every: With `count`: sheets of each document.
        blank: `omit` leaves blank pages out of the document and records them.
        sides: How the sheets of a stack lie; None where that differs from stack to stack.
        patches: By class of patch code: `document` separates, `ignore` leaves the page what it
            is, `profile:NAME` separates and makes the document behind it one of that profile.
        classes: Profiles that a separator sheet may name for the document behind it.
    """

    enabled: bool = True
    by: Annotated[tuple[Cut, ...], Field(strict=False)] = ("sheet",)
    every: Annotated[int, Field(ge=1, le=10_000)] | None = None
    blank: Literal["keep", "omit"] = "keep"
    sides: Literal["simplex", "duplex", "fronts_then_backs"] | None = None
    patches: dict[str, str] = Field(default_factory=lambda: dict(PATCHES), validate_default=False)
    classes: Annotated[tuple[ProfileName, ...], Field(strict=False, max_length=200)] = ()

    @property
    def separating_patches(self) -> dict[str, str]:
        """What the classes of patch codes do that are not ignored; none without `sheet`."""
        if not (self.enabled and "sheet" in self.by):
            return {}
        return {name: action for name, action in self.patches.items() if action != "ignore"}

    @property
    def named_classes(self) -> list[str]:
        """The profiles to which patch codes and sheets may hand documents over."""
        switched = [
            action.removeprefix(PROFILE_ACTION)
            for action in self.patches.values()
            if action.startswith(PROFILE_ACTION)
        ]
        return sorted({*switched, *self.classes})

    @field_validator("patches")
    @classmethod
    def _known_patches(cls, patches: dict[str, str]) -> dict[str, str]:
        for name, action in patches.items():
            if name in _MIRRORED:
                message = (
                    f"Patch {name} und Patch {_MIRRORED[name]} sind Spiegelbilder und nicht zu"
                    f" unterscheiden, sobald ein Blatt umgekehrt liegt; bitte {_MIRRORED[name]}"
                    " schreiben, es gilt für beide"
                )
                raise ValueError(message)
            if name not in PATCHES:
                message = (
                    f"unbekannter Patch-Code '{name}'; erlaubt sind T (auch 3), 2, 1 (auch 6), 4"
                )
                raise ValueError(message)
            if not re.fullmatch(f"document|ignore|{PROFILE_ACTION}{NAME_PATTERN}", action):
                message = f"{name}: erlaubt sind document, ignore oder profile:NAME"
                raise ValueError(message)
        return {**PATCHES, **patches}

    @model_validator(mode="after")
    def _rules_fit_together(self) -> Self:
        for applies, message in self._contradictions():
            if applies:
                raise ValueError(message)
        return self

    def _contradictions(self) -> Iterator[tuple[bool, str]]:
        counted, sheets = "count" in self.by, "sheet" in self.by
        yield len(set(self.by)) < len(self.by), "by nennt eine Regel mehrfach"
        yield (
            counted and len(self.by) > 1,
            "by = count steht allein: feste Zahl und andere Trennzeichen widersprechen sich",
        )
        yield counted and self.every is None, "by = count braucht every (Blätter je Dokument)"
        yield (
            not counted and self.every is not None,
            'every wirkt nur zusammen mit by = ["count"]',
        )
        yield (
            not sheets and self.patches != PATCHES,
            'patches wirkt nur, wenn by auch "sheet" nennt',
        )
        yield (
            not sheets and bool(self.classes),
            'classes wirkt nur, wenn by auch "sheet" nennt',
        )


class RecognitionRules(Section):
    """How text is read.

    Attributes:
        languages: Names of Tesseract's models, tried together.
        alternatives: Other sets of models. A few lines of each page tell which set knows its
            letters best; one that is not installed is passed over.
        fallbacks: Sets of models that read a page only where it stays badly read.
        orientation: Whether turned pages are set upright.
    """

    languages: Models = ("deu", "eng")
    alternatives: Annotated[tuple[Models, ...], Field(strict=False, max_length=4)] = ()
    fallbacks: Annotated[tuple[Models, ...], Field(strict=False, max_length=4)] = ()
    orientation: bool = True


class ImageRules(Section):
    """How images are packed whose bytes no PDF can carry, such as uncompressed TIFF.

    What can be carried goes in as the scanner wrote it, and bitonal pages become fax G4, whatever
    stands here.

    Attributes:
        repacked: `lossless`, or `jpeg` for grey and coloured pages.
        quality: Of that JPEG, 1 to 100 as libjpeg counts; colours are not subsampled.
    """

    repacked: Literal["lossless", "jpeg"] = "lossless"
    quality: int = Field(92, ge=75, le=100)


class CheckingRules(Section):
    """Thresholds of the automatic checks; what fails is marked, see `workers.checking`.

    Attributes:
        minimum_dpi: Below this a page of our own scan is marked; dots per inch, both axes.
        maximum_skew: Degrees by which content may be turned, either way.
        maximum_touching: Marks of a letter's size that one edge of the image may cut.
        minimum_brightness: Of the paper, 0 … 255.
        minimum_contrast: Between the paper and what is on it, 0 … 255.
        maximum_ink: Share of a page that may be dark.
        minimum_confidence: Mean confidence of a page's words below which its text is not to be
            relied on, 0 … 100.
        duplicates: Whether a page is compared with those of its document or of the whole stack.
        paper: The longest sheet there should be; `any` compares with neighbouring pages only.
    """

    minimum_dpi: int = Field(200, ge=0, le=2400)
    maximum_skew: float = Field(2.5, ge=0, le=45)
    maximum_touching: int = Field(4, ge=0, le=1000)
    minimum_brightness: int = Field(110, ge=0, le=255)
    minimum_contrast: int = Field(60, ge=0, le=255)
    maximum_ink: float = Field(0.4, ge=0, le=1)
    minimum_confidence: float = Field(60.0, ge=0, le=100)
    duplicates: Literal["off", "document", "batch"] = "batch"
    paper: Literal["any", "A5", "A4", "A3"] = "any"


class NoteRules(Section):
    """How the note is headed and where it lies.

    Attributes:
        title: None: what it is, `Transfervermerk` where the scan replaces paper, else
            `Scanvermerk`.
        container: `pdfa3` puts it inside the sealed PDF/A-3b; `pdfa2` makes a PDF/A-2b without
            attachments and lays the note beside it, for houses and archives that want that.
    """

    title: Text | None = None
    container: Literal["pdfa3", "pdfa2"] = "pdfa3"


class DeliveryRules(Section):
    """Where the department's documents are put."""

    target: Literal["folder"] = "folder"


class Profile(Section):
    """A document class with all its rules.

    Attributes:
        treatment: `copying` never claims that the paper may be destroyed; `replacing` may, after
            quality assurance and release by persons; `not_scanned` and `only_after_release` are
            the negative list (A.G.1): arrivals under them are refused or held.
        released: An arrival under an unreleased profile is refused. A replacing one has to be
            approved in the ledger too, by somebody else than its author.
        legal_basis: The law of Land, Bund or sector under which paper is replaced; no default.
        scan: See `profiles.scanning`.
        protection, procedure, quality, paper: See `profiles.protection`.
        outgoing: Present in profiles for what leaves the house under its seal; no arrival may
            have one, and nothing but the seal is done, see `profiles.outgoing`.
    """

    name: ProfileName
    version: Annotated[str, Field(min_length=1, max_length=40)]
    title: Text
    treatment: Literal["copying", "replacing", "not_scanned", "only_after_release"]
    released: bool = True
    priority: Literal["deadline", "today", "on_demand", "archive"] = "today"
    legal_basis: Annotated[str, Field(min_length=5, max_length=1000)] | None = None
    protection: ProtectionRules | None = None
    procedure: ProcedureRules | None = None
    scan: ScanRules = ScanRules()
    intake: IntakeRules = IntakeRules()
    separation: SeparationRules = SeparationRules()
    recognition: RecognitionRules = RecognitionRules()
    image: ImageRules = ImageRules()
    checking: CheckingRules = CheckingRules()
    quality: QualityRules = QualityRules()
    note: NoteRules = NoteRules()
    sealing: SealingRules = SealingRules()
    routing: RoutingRules = RoutingRules()
    delivery: DeliveryRules = DeliveryRules()
    paper: PaperRules = PaperRules()
    outgoing: OutgoingRules | None = None

    @property
    def urgency(self) -> Priority:
        """The priority as the ledger orders it."""
        return Priority[self.priority.upper()]

    @property
    def is_scanned(self) -> bool:
        """Whether paper may be scanned under it at all."""
        return not (self.intake.is_electronic or self.outgoing or self.treatment == "not_scanned")

    @property
    def claims_too_much(self) -> str | None:
        """Say in German where a new version would claim more than its scans can show.

        Versions from before stay in force: what they let in says so as an anomaly.
        """
        if self.treatment != "replacing" or self.quality.match != "both":
            return None
        if self.scan.mode != "bitonal":
            return None
        # TR-03138 V1.5, F 4.3: black and white only where content alone is asked for.
        return (
            '[quality] match = "both" (bildliche Übereinstimmung) braucht [scan] mode = "colour" '
            'oder "grey"; mode = "bitonal" erlaubt nur match = "content".'
        )

    def scanning(self) -> dict[str, Any]:
        """Return what is asked of the scanner, see `ScanRules.asked`."""
        sides, least = self.separation.sides, self.checking.minimum_dpi
        return self.scan.asked(sides=sides, minimum_dpi=least)

    @model_validator(mode="after")
    def _scan_fits_the_rest(self) -> Self:
        wrong = contradictions(
            self.scan,
            sides=self.separation.sides,
            minimum_dpi=self.checking.minimum_dpi,
            scanned=not self.intake.is_electronic,
        )
        if found := "; ".join(wrong):
            raise ValueError(found)
        return self

    @model_validator(mode="after")
    def _replacing_is_whole(self) -> Self:
        wrong = list(self._weaknesses()) if self.treatment == "replacing" else []
        if self.treatment == "replacing" and self.released:
            wrong = [*self._gaps(), *wrong]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @model_validator(mode="after")
    def _outgoing_is_sealed_and_nothing_else(self) -> Self:
        if self.outgoing is not None:
            if self.sealing.level not in ("B-LT", "B-LTA"):
                raise ValueError('[outgoing] braucht sealing.level = "B-LT" oder "B-LTA"')
            fields = type(self).model_fields
            idle = [name for name in _IDLE if getattr(self, name) != fields[name].default]
            if idle:
                message = f"[outgoing]: ohne Wirkung ist {', '.join(idle)}; bitte entfernen"
                raise ValueError(message)
        return self

    def _gaps(self) -> Iterator[str]:
        """Yield what a replacing class lacks (TR-03138 A.G.1, A.G.2, A.NB.3, A.NB.4, A.IS.1)."""
        for absent, what in (
            (self.protection is None, "[protection] mit Schutzbedarf und Begründung"),
            (self.legal_basis is None, "legal_basis (Rechtsgrundlage)"),
            (self.procedure is None, "[procedure] mit der freigegebenen Verfahrensdokumentation"),
            (self.quality.check == "none", "[quality] check (before_delivery oder by_clerk)"),
            (self.sealing.means is None, "[sealing] means (aseal, qseal, aes oder qes)"),
            (self.intake.received_at == "recorded", '[intake] received_at (z. B. "required")'),
            (self.intake.is_electronic, '[intake] origin = "scan"'),
        ):
            if absent:
                yield f'treatment = "replacing" braucht {what}'

    def _weaknesses(self) -> Iterator[str]:
        if self.protection is not None:
            yield from too_weak(
                self.protection.integrity,
                means=self.sealing.means,
                stamp=self.sealing.stamp,
                quality=self.quality,
                level=self.sealing.level,
                minimum_dpi=self.checking.minimum_dpi,
            )
