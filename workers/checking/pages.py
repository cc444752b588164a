"""What the steps of the pages found, measured against the thresholds of the profile.

Each function takes the pages of a document and returns its check, where it could look at
anything, and the anomalies. A page without the facts concerned is passed over: born-digital
pages have no resolution, blank ones no skew, and pages examined by an earlier version lack what
was not measured then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ingest.document import Batch, Facts, Page
from profiles.model import CheckingRules
from workers import review
from workers.checking.findings import Anomaly, Check, failing, marked

Found = tuple[list[Check], list[Anomaly]]

#: A scanner's 199.9 dpi is 200.
_TOLERANCE: Final = 0.02
#: Long side of the sheet in mm; a fed page is seldom more than this much longer.
_LENGTHS: Final = {"A5": 210, "A4": 297, "A3": 420}
_SLACK: Final = 12
_PALE_PAPER: Final = 200


def resolution(pages: Sequence[Page], rules: CheckingRules) -> Found:
    """Compare the resolution of scanned pages with what the profile asks."""
    scanned = {
        page.number: min(facts["dpi"])
        for page in pages
        if (facts := examined(page)).get("dpi") and not page.facts.get("inspection", {}).get("text")
    }
    if not scanned:
        return [], []
    minimum = rules.minimum_dpi
    low = {number: dpi for number, dpi in scanned.items() if dpi < minimum * (1 - _TOLERANCE)}
    anomalies = marked(tuple(low), "resolution_low", f"Auflösung unter {minimum} dpi")
    guessed = tuple(
        page.number
        for page in pages
        if page.number in scanned and examined(page).get("dpi_source") == "default"
    )
    anomalies += marked(guessed, "resolution_assumed", "Auflösung nicht erfasst, angenommen")
    value = round(min(scanned.values()), 1)
    return [_check("resolution", value, minimum, low)], anomalies


def skew(pages: Sequence[Page], rules: CheckingRules) -> Found:
    """Compare how far the content is turned, either way, with what the profile allows."""
    measured = {
        page.number: float(value)
        for page in pages
        if (value := examined(page).get("skew")) is not None
    }
    if not measured:
        return [], []
    limit = rules.maximum_skew
    askew = {number: value for number, value in measured.items() if abs(value) > limit}
    value = max(measured.values(), key=abs)
    anomalies = marked(tuple(askew), "skewed", f"um mehr als {limit:g} Grad schief erfasst")
    return [_check("skew", value, limit, askew)], anomalies


def cut_off(pages: Sequence[Page], rules: CheckingRules) -> Found:
    """Count marks of a letter's size that an edge of the image cuts."""
    touching = {
        page.number: max(edges.values()) for page in pages if (edges := examined(page)["touching"])
    }
    if not touching:
        return [], []
    limit = rules.maximum_touching
    cut = {number: count for number, count in touching.items() if count > limit}
    text = "Inhalt am Bildrand vermutlich abgeschnitten"
    check = _check("crop", max(touching.values()), limit, cut)
    return [check], marked(tuple(cut), "content_cut", text)


def exposure(pages: Sequence[Page], rules: CheckingRules) -> Found:
    """Compare brightness of the paper, share of dark area and contrast with the profile."""
    seen = {page.number: facts for page in pages if (facts := examined(page)["exposure"])}
    if not seen:
        return [], []
    dark = {
        number: facts["brightness"]
        for number, facts in seen.items()
        if facts["brightness"] < rules.minimum_brightness
    }
    inked = {
        number: facts["ink"] for number, facts in seen.items() if facts["ink"] > rules.maximum_ink
    }
    brightness = min(facts["brightness"] for facts in seen.values())
    ink = max(facts["ink"] for facts in seen.values())
    checks = [
        _check("brightness", brightness, rules.minimum_brightness, dark),
        _check("ink", ink, rules.maximum_ink, inked),
    ]
    numbers = tuple(sorted({*dark, *inked}))
    anomalies = marked(numbers, "dark", "Seite sehr dunkel erfasst")
    contrast, pale = _contrast(seen, rules.minimum_contrast)
    return checks + contrast, anomalies + pale


def _contrast(seen: Mapping[int, Facts], minimum: int) -> Found:
    measured = {
        number: facts["contrast"] for number, facts in seen.items() if facts["contrast"] is not None
    }
    if not measured:
        return [], []
    low = {number: value for number, value in measured.items() if value < minimum}
    light = tuple(number for number in low if seen[number]["brightness"] >= _PALE_PAPER)
    dull = tuple(number for number in low if number not in light)
    anomalies = marked(light, "light", "Seite sehr hell erfasst, Schrift blass")
    anomalies += marked(dull, "contrast_low", "geringer Kontrast")
    return [_check("contrast", min(measured.values()), minimum, low)], anomalies


def duplicates(pages: Sequence[Page], batch: Batch, rules: CheckingRules) -> Found:
    """Tell which pages show a sheet that the same document, or stack, already has."""
    found = batch.facts.get("separation", {}).get("duplicates")
    if found is None or rules.duplicates == "off" or not pages:
        return [], []
    own = {page.number for page in pages}
    wide = rules.duplicates == "batch"
    pairs = {
        entry["page"]: entry["of"]
        for entry in found
        if entry["page"] in own and (wide or entry["of"] in own)
    }
    anomalies: list[Anomaly] = []
    for number, earlier in sorted(pairs.items()):
        where = "" if earlier in own else " (anderes Dokument des Stapels)"
        text = f"zeigt dasselbe wie Abbild {earlier}{where}, vermutlich doppelt erfasst"
        anomalies += marked((number,), "duplicate_page", text)
    return [_check("duplicate_page", len(pairs), 0, pairs)], anomalies


def double_feeds(pages: Sequence[Page], batch: Batch, rules: CheckingRules) -> Found:
    """Tell which pages are longer than the profile's paper, or than their neighbours."""
    beside = batch.facts.get("separation", {}).get("overlong")
    own = {page.number for page in pages if not _is_electronic(batch, page)}
    if beside is None or not own:
        return [], []
    long = {entry["page"]: entry["length"] for entry in beside if entry["page"] in own}
    paper = _LENGTHS.get(rules.paper)
    for page in pages:
        length = _length(page)
        if paper and page.number in own and length and length > paper + _SLACK:
            long[page.number] = length
    value = max(long.values(), default=0)
    text = "länger als das Papier, vermutlich zwei Blätter zugleich eingezogen"
    check = _check("double_feed", value, rules.paper, long)
    return [check], marked(tuple(sorted(long)), "double_feed", text)


def _is_electronic(batch: Batch, page: Page) -> bool:
    return bool(batch.source(page.source).facts.get("electronic"))


def _length(page: Page) -> int | None:
    facts = examined(page)
    if facts.get("dpi_source") != "file" or not facts.get("dpi"):
        return None
    across, down = facts["dpi"]
    longest: float = max(facts["width"] / across, facts["height"] / down)
    return round(longest * 25.4)


def damaged(pages: Sequence[Page]) -> list[Anomaly]:
    """Tell which pages are only half there because their image is damaged."""
    hurt = tuple(page.number for page in pages if examined(page).get("damaged"))
    return marked(hurt, "image_damaged", "Bild beschädigt, nur teilweise lesbar")


def blanks(pages: Sequence[Page]) -> list[Anomaly]:
    """Tell which pages are thought to be blank."""
    blank = tuple(page.number for page in pages if examined(page).get("blank"))
    return marked(blank, "blank_suspect", "vermutlich leere Seite")


def confidence(pages: Sequence[Page], rules: CheckingRules) -> Found:
    """Compare the mean confidence of the words with the profile; name what was not read at all."""
    recognised = {page.number: page.facts.get("recognition", {}) for page in pages}
    read = {
        number: float(facts["confidence"])
        for number, facts in recognised.items()
        if facts.get("confidence") is not None
    }
    limit = rules.minimum_confidence
    low = {number: value for number, value in read.items() if value < limit}
    anomalies = marked(tuple(low), "text_unreliable", "Text nur unsicher erkannt")
    broken: dict[str, list[int]] = {}
    for number, facts in recognised.items():
        if facts.get("anomaly"):
            broken.setdefault(str(facts["anomaly"]), []).append(number)
    for code, numbers in sorted(broken.items()):
        anomalies += marked(tuple(numbers), code, review.unread(code))
    if not read:
        return [], anomalies
    return [_check("text_confidence", round(min(read.values()), 1), limit, low)], anomalies


def examined(page: Page) -> Facts:
    """Return what examination found; what it did not measure is None."""
    facts: Facts = page.facts.get("examination", {})
    return {"touching": None, "exposure": None, **facts}


def _check(name: str, value: object, threshold: object, failed: Mapping[int, object]) -> Check:
    return Check(
        name=name, value=value, threshold=threshold, passed=not failed, pages=failing(failed)
    )
