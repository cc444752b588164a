"""Reading one page, whichever way it lies and whatever letters it is printed in.

Most pages lie upright, so they are read at once; only where the result looks like nonsense, or
where the lines plainly run down the page, is the direction asked for: by reading a few lines each
way, which costs a fraction of the page. Where the profile names several sets of models, a few
lines tell which of them knows the letters. What is kept is the attempt that reads best, judged by
the engine's confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from workers.recognition.engine import Engines, Models, Pixels, Reading
from workers.recognition.levelling import Levelled
from workers.recognition.mending import mended
from workers.recognition.preparation import Prepared, prepare, turned
from workers.recognition.words import Box, Line, Word, Words

#: Below this confidence a page may lie the wrong way. Antiqua read upright reaches 75 and more,
#: Fraktur with a modern model 60, upside down 30 to 50.
_DOUBTFUL: Final = 68.0
#: Below this another set of models may know the letters better: title pages, worn print.
_UNSURE: Final = 80.0
#: A clearly better attempt, so that noise does not turn a page.
_BETTER: Final = 5.0
#: A direction told by a few lines has to be this much better than the next.
_CLEARLY: Final = 8.0
#: A few lines tell no more exactly than this.
_NO_WORSE: Final = 8.0
_MOSTLY: Final = 0.5
_PLAUSIBLE: Final = 55.0
_HOPELESS: Final = 40.0
#: Characters; a stamp or a page number.
_FEW: Final = 40
#: Characters that a sample needs to tell anything.
_TELLING: Final = 12
#: Mean grey value above which a page has hardly any ink.
_NEARLY_WHITE: Final = 252.0
#: Lines that run down the page make its columns this much more uneven than its rows.
_SIDEWAYS: Final = 2.0
_TURNS: Final = (0, 180, 90, 270)
_QUARTER: Final = 90
#: Pixels; no letter is smaller, and the engine's layout analysis wants more than a line of pixels.
_LEAST: Final = 8


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """What was read, and with which of the models offered.

    Attributes:
        models: Names of the models that the text comes from.
        levelled: Degrees by which the raster was turned back for reading, 0 where it was not.
        dpi: Of the raster that was read.
    """

    words: Words
    models: Models
    levelled: float
    dpi: int


def recognise(
    pixels: Pixels,
    dpi: tuple[float, float],
    engines: Engines,
    *,
    orientation: bool = True,
    skew: float | None = None,
    most_pixels: int,
) -> Recognised:
    """Read a page.

    Args:
        pixels: uint8, (height, width) or (height, width, 3); 0 = black.
        dpi: Dots per inch, both axes.
        engines: From `workers.recognition.engine.open_engines`.
        orientation: Whether the page may be turned.
        skew: Degrees by which its content is turned clockwise, None where not known.
        most_pixels: A larger page is reduced for reading; boxes are those of the full one.

    Returns:
        Words in pixels of the upright page at full size.
    """
    desk = _Reader(prepare(pixels, dpi, most_pixels), engines, skew)
    turn, read = desk.best(orientation=orientation)
    height, width = pixels.shape[:2]
    sideways = turn % 180 == _QUARTER
    scale = desk.prepared.across, desk.prepared.down
    across, down = scale[::-1] if sideways else scale
    words = Words(
        width=height if sideways else width,
        height=width if sideways else height,
        dpi=(dpi[1], dpi[0]) if sideways else dpi,
        orientation=turn,
        lines=tuple(
            _scaled(line, across, down) for line in mended(read.reading.lines, read.models)
        ),
    )
    return Recognised(
        words=words, models=read.models, levelled=read.levelled, dpi=desk.prepared.dpi
    )


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    reading: Reading
    models: Models
    levelled: float = 0.0

    @property
    def value(self) -> float:
        return self.reading.confidence() if self.reading.upright_share > _MOSTLY else 0.0

    @property
    def reads_well(self) -> bool:
        return self.value >= _DOUBTFUL


class _Reader:
    """One page and the engines it can be read with."""

    def __init__(self, prepared: Prepared, engines: Engines, skew: float | None) -> None:
        self.prepared = prepared
        self._engines = engines
        self._usual = engines.usual
        self._skew = skew
        self._samples: dict[tuple[int, Models], Reading] = {}
        self._attempts: dict[tuple[int, Models], _Attempt] = {}

    def best(self, *, orientation: bool) -> tuple[int, _Attempt]:
        if min(self.prepared.pixels.shape) < _LEAST:
            return 0, _Attempt(reading=Reading(lines=()), models=self._usual)
        turn = 0
        if orientation and _runs_down(self.prepared.pixels):
            turn = self._told() or 0
        read = self._read(turn, self._chosen(turn))
        if orientation and not read.reads_well:
            turn, read = self._turned_better(turn, read)
        if read.value < _UNSURE and read.reading.characters() >= _TELLING:
            read = self._with_others(turn, read)
        return turn, read

    def _with_others(self, turn: int, read: _Attempt) -> _Attempt:
        """Read once more with the models that know a few lines of an unsure page no worse."""
        first = self._sampled(turn, read.models).confidence()
        for models in self._engines.by_models:
            if self._sampled(turn, models).confidence() < first - _NO_WORSE:
                continue
            other = self._read(turn, models)
            read = other if other.value > read.value + 1 else read
        return read

    def _chosen(self, turn: int) -> Models:
        """Ask a few lines which models know the letters; the usual ones where nothing tells."""
        if len(self._engines.sampled) == 1:
            return self._usual
        tried = {models: self._sampled(turn, models) for models in self._engines.sampled}
        if max(reading.characters() for reading in tried.values()) < _TELLING:
            return self._usual
        return max(tried, key=lambda models: tried[models].confidence())

    def _sampled(self, turn: int, models: Models) -> Reading:
        known = self._samples.get((turn, models))
        if known is None:
            sample = Levelled(self.prepared.sample(turn), self._skew).pixels
            engine = self._engines.by_models[models]
            known = engine.read(sample, self.prepared.dpi, dark_fields=False)
            self._samples[turn, models] = known
        return known

    def _read(self, turn: int, models: Models) -> _Attempt:
        known = self._attempts.get((turn, models))
        if known is None:
            known = self._attempts[turn, models] = self._attempted(turn, models)
        return known

    def _attempted(self, turn: int, models: Models) -> _Attempt:
        """Read; once more by local contrast where one threshold for the page hides the text."""
        page = Levelled(turned(self.prepared.pixels, turn), self._skew)
        engine, dpi = self._engines.by_models[models], self.prepared.dpi
        reading = engine.read(page.pixels, dpi, dark_fields=self.prepared.dark_fields)
        if reading.characters() < _FEW and page.pixels.mean() <= _NEARLY_WHITE:
            again = engine.read(page.pixels, dpi, local=True)
            reading = again if again.characters() > reading.characters() else reading
        lines = tuple(page.restored(line) for line in reading.lines)
        return _Attempt(reading=replace(reading, lines=lines), models=models, levelled=page.degrees)

    def _turned_better(self, turn: int, read: _Attempt) -> tuple[int, _Attempt]:
        first = best = turn, read
        told = self._told()
        if not self._is_settled(best, told):
            others = dict.fromkeys(t for t in (told, *_TURNS) if t is not None and t != turn)
            for other in others:
                attempt = self._read(other, self._chosen(other))
                if attempt.value > best[1].value + _BETTER:
                    best = other, attempt
                enough = attempt.reading.characters() <= _FEW or attempt.value >= _PLAUSIBLE
                if best[1].reads_well or enough:
                    break
        if best[0] and best[1].value < _HOPELESS:  # no direction gives text: leave it as it lies
            return first if turn == 0 else (0, self._read(0, self._usual))
        return best

    def _is_settled(self, best: tuple[int, _Attempt], told: int | None) -> bool:
        """Whether trying other directions would be wasted: next to no text, or no better told."""
        turn, read = best
        if told is None:
            return read.reading.characters() < _FEW
        return told == turn and read.value >= _HOPELESS

    def _told(self) -> int | None:
        """Read a few lines each way; where they do not tell, ask the engine's own compass."""
        values: dict[int, float] = {}
        for turn in _TURNS:
            readings = [self._sampled(turn, models) for models in self._engines.sampled]
            telling = [r for r in readings if r.characters() >= _TELLING]
            upright = [r for r in telling if r.upright_share > _MOSTLY]
            values[turn] = max((reading.confidence() for reading in upright), default=0.0)
        ranked = sorted(values, key=lambda turn: -values[turn])
        best, second = values[ranked[0]], values[ranked[1]]
        if best >= _DOUBTFUL and best - second >= _CLEARLY:
            return ranked[0]
        return self._compass()

    def _compass(self) -> int | None:
        """Ask on the middle of the page first: borders and rules mislead the engine."""
        pixels, dpi, engine = (
            self.prepared.pixels,
            self.prepared.dpi,
            self._engines.by_models[self._usual],
        )
        height, width = pixels.shape
        middle = np.ascontiguousarray(
            pixels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4]
        )
        found = engine.direction(middle, dpi)
        return engine.direction(pixels, dpi) if found is None else found


def _runs_down(grey: Pixels) -> bool:
    height, width = (side // 4 * 4 for side in grey.shape)
    if not height or not width:
        return False
    small = grey[1:height:4, 1:width:4].astype(np.float32)
    rows = np.abs(np.diff(small.mean(axis=1))).mean()
    columns = np.abs(np.diff(small.mean(axis=0))).mean()
    return bool(columns > _SIDEWAYS * rows)


def _scaled(line: Line, across: float, down: float) -> Line:
    baseline = line.baseline
    return Line(
        box=_box(line.box, across, down),
        baseline=None if baseline is None else (baseline[0] * down / across, baseline[1] * down),
        words=tuple(_word(word, across, down) for word in line.words),
    )


def _word(word: Word, across: float, down: float) -> Word:
    return replace(word, box=_box(word.box, across, down))


def _box(box: Box, across: float, down: float) -> Box:
    left, top, right, bottom = box
    return round(left * across), round(top * down), round(right * across), round(bottom * down)
