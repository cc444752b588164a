"""The page step: words and their places, or the reason why there are none.

A page of a PDF that carries its own text is not recognised, its text is the better one; a blank
page has no words, which is a result. A page that does not decode goes on with that anomaly named:
whether it stops the document is decided where the document is composed and checked.
"""

from __future__ import annotations

from typing import Any

from ingest.content.raster import Frame, open_frame
from ingest.context import StepContext
from ingest.document import Assignment, Facts, Outcome, Page, RenditionKind
from ingest.errors import ToolFailed, Unclear
from profiles import Profile
from workers.recognition import words as kept
from workers.recognition.engine import model_digest, open_engines
from workers.recognition.preparation import VERSION as PREPARATION
from workers.recognition.reading import recognise
from workers.recognition.words import Words


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Recognise one page.

    Raises:
        ToolFailed: The engine gave up; another attempt may succeed.
        ToolMissing: The engine or a language model is not installed.
    """
    page = assignment.page
    if carries_text(page):
        return Outcome(facts=_facts(anomaly=None, native_text=True))
    examined: Facts = page.facts.get("examination", {})
    if examined.get("blank"):
        return Outcome(facts=_facts(anomaly=None))
    if examined.get("undecodable"):
        return Outcome(facts=_facts(anomaly="undecodable"))
    profile = Profile.model_validate(assignment.profile)
    try:
        frame = _frame(assignment, context)
    except Unclear:
        return Outcome(facts=_facts(anomaly="undecodable"))
    return _recognised(assignment, context, profile, frame)


def carries_text(page: Page) -> bool:
    """Whether inspection found a text layer on this page of a PDF."""
    return bool(page.facts.get("inspection", {}).get("text"))


def _frame(assignment: Assignment, context: StepContext) -> Frame:
    page = assignment.page
    source = assignment.batch.source(page.source)
    limit = context.settings.workers.max_pixels
    path = context.path(source.content_sha256)
    return open_frame(path, source.kind, page.index, max_pixels=limit, grey=True)


def _recognised(
    assignment: Assignment, context: StepContext, profile: Profile, frame: Frame
) -> Outcome:
    rules = profile.recognition
    engines = open_engines(rules.languages, rules.alternatives, rules.fallbacks)
    skew = assignment.page.facts.get("examination", {}).get("skew")
    try:
        found = recognise(
            frame.pixels,
            frame.dpi,
            engines,
            orientation=rules.orientation,
            skew=skew,
            most_pixels=context.settings.workers.recognition_pixels,
        )
    except RuntimeError as error:  # tesserocr: the engine refuses an image
        text = f"Seite {assignment.page.number}: Die Texterkennung hat das Bild abgelehnt."
        raise ToolFailed(str(error), operator_text=text) from error
    engine = engines.by_models[found.models].version
    used: Facts = {
        "languages": list(found.models),
        "model": model_digest(found.models),
        "levelled": found.levelled,
        "read_dpi": found.dpi,
    }
    rendition = context.rendition(
        RenditionKind.WORDS,
        found.words.to_json(),
        media_type=kept.MEDIA_TYPE,
        parent=assignment.page.sha256,
        tool=engine,
        settings={
            **used,
            "offered": [list(models) for models in engines.by_models],
            "fallbacks": [list(models) for models in sorted(engines.fallbacks)],
            "orientation": rules.orientation,
            "pixels": context.settings.workers.recognition_pixels,
            "preparation": PREPARATION,
        },
    )
    facts = _facts(anomaly=None, engine=engine, **used)
    return Outcome(renditions=(rendition,), facts=facts | _counted(found.words))


def _counted(found: Words) -> Facts:
    confidence = found.confidence()
    return {
        "words": sum(1 for _ in found),
        "characters": sum(len(word.text) for word in found),
        "confidence": None if confidence is None else round(confidence, 1),
        "orientation": found.orientation,
    }


def _facts(*, anomaly: str | None, native_text: bool = False, **engine: Any) -> Facts:
    return {
        "engine": None,
        "model": None,
        "languages": [],
        "words": 0,
        "characters": 0,
        "confidence": None,
        "orientation": 0,
        "anomaly": anomaly,
        "native_text": native_text,
    } | engine
