"""Reading one page, whichever way it lies.

Most pages lie upright, so they are read at once; only where the result looks like nonsense, or
where the lines plainly run down the page, is the direction asked for. What is kept is the attempt
that reads best, judged by the engine's confidence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from PIL import Image

from workers.recognition.engine import Engine, Pixels, Reading
from workers.recognition.words import Box, Line, Word, Words

#: Below this confidence a page may lie the wrong way. Antiqua read upright reaches 75 and more,
#: Fraktur with a modern model 60, upside down 30 to 50.
_DOUBTFUL: Final = 68.0
#: A clearly better attempt, so that noise does not turn a page.
_BETTER: Final = 5.0
_MOSTLY: Final = 0.5
_PLAUSIBLE: Final = 55.0
_HOPELESS: Final = 40.0
#: Characters; a stamp or a page number.
_FEW: Final = 40
#: Mean grey value above which a page has hardly any ink.
_NEARLY_WHITE: Final = 252.0
#: Lines that run down the page make its columns this much more uneven than its rows.
_SIDEWAYS: Final = 2.0
_OTHERS: Final = (180, 90, 270)
_QUARTER: Final = 90
_PLANE: Final = 2


def recognise(
    pixels: Pixels,
    dpi: tuple[float, float],
    engine: Engine,
    *,
    orientation: bool = True,
    most_pixels: int,
) -> Words:
    """Read a page.

    Args:
        pixels: uint8, (height, width) or (height, width, 3); 0 = black.
        dpi: Dots per inch, both axes.
        engine: From `workers.recognition.engine.open_engine`.
        orientation: Whether the page may be turned.
        most_pixels: A larger page is reduced for reading; boxes are those of the full one.

    Returns:
        Words in pixels of the upright page at full size.
    """
    reduced, factor = _reduced(pixels, most_pixels)
    resolution = max(70, round(max(dpi) / factor))
    turn, reading = _best(reduced, resolution, engine, orientation=orientation)
    height, width = pixels.shape[:2]
    sideways = turn % 180 == _QUARTER
    lines = reading.lines if factor == 1 else tuple(_scaled(line, factor) for line in reading.lines)
    return Words(
        width=height if sideways else width,
        height=width if sideways else height,
        dpi=(dpi[1], dpi[0]) if sideways else dpi,
        orientation=turn,
        lines=lines,
    )


def _reduced(pixels: Pixels, most: int) -> tuple[Pixels, float]:
    height, width = pixels.shape[:2]
    if height * width <= most:
        return pixels, 1.0
    factor = (height * width / most) ** 0.5
    size = max(1, int(width / factor)), max(1, int(height / factor))
    smaller = Image.fromarray(pixels).resize(size, Image.Resampling.BOX)
    return np.asarray(smaller), width / size[0]


def _best(pixels: Pixels, dpi: int, engine: Engine, *, orientation: bool) -> tuple[int, Reading]:
    turn = 0
    if orientation and _runs_down(pixels):
        turn = _direction(pixels, dpi, engine) or 0
    first = best = turn, _read(pixels, turn, dpi, engine)
    if not orientation or _reads_well(best[1]):
        return best
    told = _direction(pixels, dpi, engine)
    if not _is_settled(best, told):
        for other in _untried(turn, told):
            attempt = other, _read(pixels, other, dpi, engine)
            if _value(attempt[1]) > _value(best[1]) + _BETTER:
                best = attempt
            if _reads_well(best[1]) or not _worth_more(best[1]):
                break
    if best[0] and _value(best[1]) < _HOPELESS:  # no direction gives text: leave it as it lies
        return first if turn == 0 else (0, _read(pixels, 0, dpi, engine))
    return best


def _untried(turn: int, told: int | None) -> list[int]:
    order = [other for other in (told, 0, *_OTHERS) if other is not None and other != turn]
    return list(dict.fromkeys(order))


def _read(pixels: Pixels, turn: int, dpi: int, engine: Engine) -> Reading:
    """Read once more by local contrast where one threshold for the page hides the text."""
    upright = turned(pixels, turn)
    reading = engine.read(upright, dpi)
    if reading.characters() >= _FEW or upright.mean() > _NEARLY_WHITE:
        return reading
    again = engine.read(upright, dpi, local=True)
    return again if again.characters() > reading.characters() else reading


def _reads_well(reading: Reading) -> bool:
    return reading.confidence() >= _DOUBTFUL and reading.upright_share > _MOSTLY


def _value(reading: Reading) -> float:
    return reading.confidence() if reading.upright_share > _MOSTLY else 0.0


def _is_settled(best: tuple[int, Reading], told: int | None) -> bool:
    """Whether trying other directions would be wasted: next to no text, or no better one told."""
    turn, reading = best
    if told is None:
        return reading.characters() < _FEW
    return told == turn and _value(reading) >= _HOPELESS


def _worth_more(reading: Reading) -> bool:
    """One more direction is enough for a page with hardly any text or a plausible reading."""
    return reading.characters() > _FEW and _value(reading) < _PLAUSIBLE


def turned(pixels: Pixels, degrees: int) -> Pixels:
    """Turn clockwise by a multiple of 90 degrees."""
    if degrees == 0:
        return pixels
    return np.ascontiguousarray(np.rot90(pixels, k=-(degrees // _QUARTER)))


def _runs_down(pixels: Pixels) -> bool:
    grey = pixels if pixels.ndim == _PLANE else pixels[:, :, 1]
    height, width = (side // 4 * 4 for side in grey.shape)
    if not height or not width:
        return False
    small = grey[1:height:4, 1:width:4].astype(np.float32)
    rows = np.abs(np.diff(small.mean(axis=1))).mean()
    columns = np.abs(np.diff(small.mean(axis=0))).mean()
    return bool(columns > _SIDEWAYS * rows)


def _direction(pixels: Pixels, dpi: int, engine: Engine) -> int | None:
    """Ask on the middle of the page first: borders and rules mislead the engine."""
    height, width = pixels.shape[:2]
    middle = np.ascontiguousarray(
        pixels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4]
    )
    found = engine.direction(middle, dpi)
    return engine.direction(pixels, dpi) if found is None else found


def _scaled(line: Line, factor: float) -> Line:
    baseline = line.baseline
    return Line(
        box=_box(line.box, factor),
        baseline=None if baseline is None else (baseline[0], baseline[1] * factor),
        words=tuple(_word(word, factor) for word in line.words),
    )


def _word(word: Word, factor: float) -> Word:
    return replace(word, box=_box(word.box, factor))


def _box(box: Box, factor: float) -> Box:
    left, top, right, bottom = (round(side * factor) for side in box)
    return left, top, right, bottom
