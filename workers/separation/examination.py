"""EXAMINATION: what one page shows by its pixels.

Does it decode, how large is it, which codes and bars does it carry, is anything on it? Nothing
is decided here: one bad page must not stop the others, so what does not decode is a fact,
and `cutting`, which sees all pages, says what follows from it. A page whose decoder complained
and went on is a page: `damaged` keeps the complaint, which checking makes an anomaly; only where
nothing at all came out is it undecodable. Only a bomb is refused at once.
"""

from __future__ import annotations

from ingest.content.raster import PDF_DPI, Frame, open_frame
from ingest.context import StepContext
from ingest.document import Assignment, Facts, Outcome, Page, SourceKind
from ingest.errors import Unclear
from profiles import Profile
from workers.separation import DETECTOR
from workers.separation.blanks import count_marks
from workers.separation.codes import CodesFinding, read_codes
from workers.separation.exposure import count_touching, measure_exposure
from workers.separation.fields import shows_code_field
from workers.separation.likeness import fingerprint, ink
from workers.separation.patches import PatchFinding, find_patch
from workers.separation.skew import measure_skew
from workers.separation.views import Views

#: Enough for codes and bars on a page that was never paper.
_DRAWN_DPI = 150


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Examine the page of `assignment`.

    Raises:
        DecompressionBomb: The page is larger than any paper.
    """
    page = assignment.page
    source = assignment.batch.source(page.source)
    profile = Profile.model_validate(assignment.profile)
    drawn = source.kind is SourceKind.PDF and _inspected(page).get("dpi") is None
    try:
        frame = open_frame(
            context.path(source.content_sha256),
            source.kind,
            page.index,
            max_pixels=context.settings.workers.max_pixels,
            dpi=_DRAWN_DPI if drawn else PDF_DPI,
        )
    except Unclear as error:
        return Outcome(facts=_undecodable(error.operator_text))
    facts = examine(frame, asn="asn" in profile.separation.by)
    if source.kind is SourceKind.PDF:
        facts |= _of_pdf(page)
    return Outcome(facts=facts)


def examine(frame: Frame, *, asn: bool = False) -> Facts:
    """Return the facts of a decoded page.

    Args:
        frame: The upright page.
        asn: The profile cuts at archive numbers: look for their labels a second time, sharper.
    """
    views = Views(frame)
    patch = find_patch(views.full, frame.dpi, reduced=views.look)
    codes = read_codes(views.full, frame.dpi, asn=asn, reduced=views.codes)
    marks = count_marks(frame.pixels, frame.dpi, small=views.small)
    separator = _separator(codes, patch)
    # Beside our bars a field that no longer decodes is our code: what it said is lost.
    damaged = codes.damaged_sheet or (
        patch.patch == "T" and codes.separator is None and shows_code_field(views.look)
    )
    return {
        "width": frame.width,
        "height": frame.height,
        "dpi": list(frame.dpi),
        "dpi_source": frame.dpi_source,
        "mode": frame.mode,
        "blank": marks == 0,
        "components": marks,
        "codes": [code.facts() for code in codes.codes],
        "patch": patch.patch,
        "separator": separator,
        "separator_suspect": separator is None and (patch.suspect or damaged),
        "patch_suspect": patch.suspect,
        "sheet_damaged": damaged,
        "asn": codes.asn,
        "asn_refused": codes.asn_refused,
        "undecodable": None,
        "damaged": frame.damage,
        "orientation": 0,
        "detector": DETECTOR,
    } | _looked(views, marks)


def _looked(views: Views, marks: int) -> Facts:
    """Return what quality assurance asks about; a page without marks has neither skew nor face."""
    skew = measure_skew(views.depth) if marks else None
    return {
        "skew": skew,
        "exposure": measure_exposure(views.look, views.depth),
        "touching": count_touching(views.depth),
        "fingerprint": fingerprint(ink(views.depth, skew)) if marks else None,
    }


def _inspected(page: Page) -> Facts:
    facts: Facts = page.facts.get("inspection", {})
    return facts


def _of_pdf(page: Page) -> Facts:
    """Return size and resolution as the file carries them, not as rendered for looking.

    A page without a covering image has no resolution of its own; it is described as it will be
    rendered, and says so by `dpi_source`.
    """
    inspected = _inspected(page)
    if not {"width", "height"} <= inspected.keys():
        return {}
    dpi = inspected.get("dpi")
    across, down = dpi or (PDF_DPI, PDF_DPI)
    return {
        "width": round(inspected["width"] / 72 * across),
        "height": round(inspected["height"] / 72 * down),
        "dpi": [across, down],
        "dpi_source": "file" if dpi else "default",
    }


def _separator(codes: CodesFinding, patch: PatchFinding) -> Facts | None:
    if codes.separator is not None:
        return codes.separator
    if patch.patch == "T":
        return {"kind": "patch", "text": "T", "payload": {}}
    return None


def _undecodable(reason: str) -> Facts:
    return {
        "width": None,
        "height": None,
        "dpi": None,
        "dpi_source": None,
        "mode": None,
        "blank": False,
        "components": 0,
        "skew": None,
        "exposure": None,
        "touching": None,
        "fingerprint": None,
        "codes": [],
        "patch": None,
        "separator": None,
        "separator_suspect": False,
        "patch_suspect": False,
        "sheet_damaged": False,
        "asn": None,
        "asn_refused": None,
        "undecodable": reason,
        "damaged": None,
        "orientation": 0,
        "detector": DETECTOR,
    }
