"""Tesseract, kept warm: pixels in, words with their places out.

Loading the language models takes longer than reading a short letter, so each process keeps one
engine per set of languages. Where the `tesserocr` wheel does not exist for the platform, the
`tesseract` program gives the same words through `pytesseract`, only slower.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.errors import ToolFailed, ToolMissing
from workers.recognition.words import Box, Line, Word

try:
    import tesserocr
except ImportError:  # no wheel for this platform
    tesserocr = None

log = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]
#: Names of Tesseract's models that read together.
Models = tuple[str, ...]
_PLACES: Final = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
)
_CIRCLE: Final = 360
#: Tesseract takes a page that lies sideways for writing from top to bottom.
_TOP_TO_BOTTOM: Final = 2
#: Rise over run; no page is read that crooked.
_STEEPEST: Final = 0.4
_OTSU: Final = "0"
_SAUVOLA: Final = "2"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one attempt at a page gave.

    Attributes:
        lines: In pixels of the raster handed over.
        upright_share: Share of the words that run across the page, not down.
    """

    lines: tuple[Line, ...]
    upright_share: float = 1.0

    def confidence(self) -> float:
        """Mean confidence weighted by length; 0 where nothing was read."""
        words = [word for line in self.lines for word in line.words]
        characters = sum(len(word.text) for word in words)
        return sum(word.confidence * len(word.text) for word in words) / max(characters, 1)

    def characters(self) -> int:
        """Characters read."""
        return sum(len(word.text) for line in self.lines for word in line.words)


class Engine(Protocol):
    """What reads a page."""

    version: str

    def read(
        self, pixels: Pixels, dpi: int, *, local: bool = False, dark_fields: bool = True
    ) -> Reading:
        """Recognise grey or coloured pixels as they lie.

        `local` tells black from white by each spot's surroundings, not by the whole page.
        `dark_fields` reads lines that give no sense once more as light letters on dark ground;
        a page without such fields saves that time.
        """
        ...

    def direction(self, pixels: Pixels, dpi: int) -> int | None:
        """Return the clockwise turn that makes the page upright, None where it is not clear."""
        ...


def tessdata() -> Path:
    """Return the folder of the language models.

    Raises:
        ToolMissing: No model is installed.
    """
    named = os.environ.get("TESSDATA_PREFIX")
    places = [Path(place) for place in ((named,) if named else ()) + _PLACES]
    for place in places:
        if place.is_dir() and any(place.glob("*.traineddata")):
            return place
    text = "Texterkennung fehlt: bitte tesseract-ocr, tesseract-ocr-deu und tesseract-ocr-osd"
    message = f"no tessdata folder among {places}"
    raise ToolMissing(message, operator_text=f"{text} installieren.")


@functools.cache
def open_engine(languages: tuple[str, ...]) -> Engine:
    """Return this process's engine for `languages`; later calls give the same one.

    Raises:
        ToolMissing: A language model or the engine itself is not installed.
    """
    folder = tessdata()
    for language in languages:
        if not (folder / f"{language}.traineddata").is_file():
            message = f"no {language}.traineddata in {folder}"
            text = f"Sprachmodell „{language}“ fehlt: bitte tesseract-ocr-{language} installieren."
            raise ToolMissing(message, operator_text=text)
    if tesserocr is not None:
        return LibraryEngine(folder, languages)
    return ProgramEngine(folder, languages)


@dataclass(frozen=True, kw_only=True)
class Engines:
    """What a page may be read with.

    Attributes:
        by_models: All of them, the usual one first.
        fallbacks: Those that read a page only where the others stay unsure.
    """

    by_models: Mapping[Models, Engine]
    fallbacks: frozenset[Models] = frozenset()

    @property
    def usual(self) -> Models:
        """The models that are used where nothing speaks for others."""
        return next(iter(self.by_models))

    @property
    def sampled(self) -> list[Models]:
        """The models among which a sample of the page chooses."""
        return [models for models in self.by_models if models not in self.fallbacks]


def open_engines(
    languages: Models, alternatives: Sequence[Models] = (), fallbacks: Sequence[Models] = ()
) -> Engines:
    """Return this process's engines for the models that a profile names.

    Others than the usual ones are left out where they are not installed: the facts of a page say
    what was offered.

    Raises:
        ToolMissing: A model of the usual engine, or the engine itself, is not installed.
    """
    engines = {languages: open_engine(languages)}
    for models in (*alternatives, *fallbacks):
        try:
            engines[models] = open_engine(models)
        except ToolMissing as error:
            log.warning("models left out", extra={"models": models, "reason": str(error)})
    return Engines(by_models=engines, fallbacks=frozenset(fallbacks) - {languages})


@functools.cache
def model_digest(languages: tuple[str, ...]) -> str:
    """Return the SHA-256 over the language models: another model is another result."""
    digest = hashlib.sha256()
    for language in languages:
        with (tessdata() / f"{language}.traineddata").open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


class LibraryEngine:
    """Tesseract inside this process."""

    def __init__(self, folder: Path, languages: tuple[str, ...]) -> None:
        """Load the models of `languages` from `folder`."""
        self.version = "tesseract " + str(tesserocr.tesseract_version()).split()[1]
        self._folder = folder
        self._api = self._load("+".join(languages), tesserocr.PSM.AUTO, tesserocr.OEM.LSTM_ONLY)
        self._compass: Any = None

    def _load(self, languages: str, layout: int, mode: int) -> Any:
        try:
            return tesserocr.PyTessBaseAPI(
                path=str(self._folder), lang=languages, psm=layout, oem=mode
            )
        except RuntimeError as error:
            message = f"tesseract does not load {languages} from {self._folder}: {error}"
            text = f"Sprachmodelle {languages} sind nicht lesbar: bitte neu installieren."
            raise ToolMissing(message, operator_text=text) from error

    def read(
        self, pixels: Pixels, dpi: int, *, local: bool = False, dark_fields: bool = True
    ) -> Reading:
        """Recognise the page as it lies.

        Raises:
            ToolFailed: The engine gave up on these pixels.
        """
        try:
            self._api.SetVariable("thresholding_method", _SAUVOLA if local else _OTSU)
            self._api.SetVariable("tessedit_do_invert", str(int(dark_fields)))
            _show(self._api, pixels)
            self._api.SetSourceResolution(dpi)
            if not self._api.Recognize():
                message = "tesseract could not recognise the page"
                raise ToolFailed(message, operator_text="Die Texterkennung hat abgebrochen.")
            return self._collected()
        finally:
            self._api.Clear()
            self._api.ClearAdaptiveClassifier()

    def _collected(self) -> Reading:
        iterator = self._api.GetIterator()
        if iterator is None:
            return Reading(lines=())
        lines: list[Line] = []
        words: list[Word] = []
        upright = total = 0
        level, row = tesserocr.RIL.WORD, tesserocr.RIL.TEXTLINE
        frame, baseline = (0, 0, 0, 0), None
        while True:
            if iterator.IsAtBeginningOf(row):
                frame, baseline = iterator.BoundingBox(row) or (0, 0, 0, 0), iterator.Baseline(row)
            word = _word_at(iterator, level)
            if word is not None:
                words.append(word)
                total += 1
                upright += int(iterator.Orientation()[1]) != _TOP_TO_BOTTOM
            last = iterator.IsAtFinalElement(row, level)
            if last and words:
                slope = _baseline(frame, baseline)
                lines.append(Line(box=frame, baseline=slope, words=tuple(words)))
            if last:
                words = []
            if not iterator.Next(level):
                break
        return Reading(lines=tuple(lines), upright_share=upright / total if total else 1.0)

    def direction(self, pixels: Pixels, dpi: int) -> int | None:
        """Ask Tesseract's script detection where the top is."""
        if self._compass is None:
            if not (self._folder / "osd.traineddata").is_file():
                return None
            self._compass = self._load("osd", tesserocr.PSM.OSD_ONLY, tesserocr.OEM.TESSERACT_ONLY)
        try:
            _show(self._compass, pixels)
            self._compass.SetSourceResolution(dpi)
            found = self._compass.DetectOrientationScript()
        finally:
            self._compass.Clear()
        return None if found is None else -int(found["orient_deg"]) % _CIRCLE


def _show(api: Any, pixels: Pixels) -> None:
    """Hand over raw pixels; by way of a Pillow image they would be packed and unpacked again."""
    plain = np.ascontiguousarray(pixels)
    height, width = plain.shape[:2]
    channels = plain.size // (height * width)
    api.SetImageBytes(plain.tobytes(), width, height, channels, channels * width)


def _word_at(iterator: Any, level: int) -> Word | None:
    box = iterator.BoundingBox(level)
    if box is None:
        return None
    text = iterator.GetUTF8Text(level).strip()
    if not text:
        return None
    return Word(text=text, box=box, confidence=float(iterator.Confidence(level)))


def _baseline(
    box: Box, ends: tuple[tuple[int, int], tuple[int, int]] | None
) -> tuple[float, float] | None:
    if ends is None or ends[1][0] <= ends[0][0]:
        return None
    (left, start), (right, end) = ends
    slope = (end - start) / (right - left)
    if abs(slope) > _STEEPEST:  # the line runs down the page; this is no baseline of its letters
        return None
    return round(slope, 5), round(box[3] - (start + slope * (box[0] - left)), 2)


class ProgramEngine:
    """The `tesseract` program, for platforms without the library's wheel."""

    def __init__(self, folder: Path, languages: tuple[str, ...]) -> None:
        """Find the program.

        Raises:
            ToolMissing: It is not installed.
        """
        import pytesseract

        if shutil.which("tesseract") is None:
            message = "the tesseract program is not installed"
            raise ToolMissing(message, operator_text="Bitte tesseract-ocr installieren.")
        self._module = pytesseract
        self.version = f"tesseract {pytesseract.get_tesseract_version()}"
        self._folder = folder
        self._languages = "+".join(languages)

    def read(
        self, pixels: Pixels, dpi: int, *, local: bool = False, dark_fields: bool = True
    ) -> Reading:
        """Recognise the page as it lies.

        Raises:
            ToolFailed: The program ended with an error.
        """
        method, retries = _SAUVOLA if local else _OTSU, int(dark_fields)
        options = f'--tessdata-dir "{self._folder}" --oem 1 --psm 3 --dpi {dpi}'
        try:
            rows = self._module.image_to_data(
                Image.fromarray(pixels),
                lang=self._languages,
                config=f"{options} -c thresholding_method={method} -c tessedit_do_invert={retries}",
                output_type=self._module.Output.DICT,
            )
        except self._module.TesseractError as error:
            text = "Die Texterkennung hat abgebrochen."
            raise ToolFailed(str(error), operator_text=text) from error
        return Reading(lines=tuple(_lines_of(rows)))

    def direction(self, pixels: Pixels, dpi: int) -> int | None:
        """Ask the program's script detection where the top is."""
        try:
            found = self._module.image_to_osd(
                Image.fromarray(pixels),
                config=f'--tessdata-dir "{self._folder}" --dpi {dpi}',
                output_type=self._module.Output.DICT,
            )
        except self._module.TesseractError:  # too few characters to tell
            return None
        return int(found["rotate"]) % _CIRCLE


def _lines_of(rows: dict[str, list[Any]]) -> Iterator[Line]:
    lines: dict[tuple[int, int, int], list[Word]] = {}
    for number, text in enumerate(rows["text"]):
        if not text.strip():
            continue
        key = tuple(rows[name][number] for name in ("block_num", "par_num", "line_num"))
        left, top = rows["left"][number], rows["top"][number]
        box = left, top, left + rows["width"][number], top + rows["height"][number]
        word = Word(text=text.strip(), box=box, confidence=float(rows["conf"][number]))
        lines.setdefault(key, []).append(word)
    for words in lines.values():
        lefts, tops, rights, bottoms = zip(*(word.box for word in words), strict=True)
        frame = min(lefts), min(tops), max(rights), max(bottoms)
        yield Line(box=frame, words=tuple(words))
