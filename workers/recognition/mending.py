"""What is read in Fraktur and was not meant so.

Old print sets a thin space before its signs, and the engine makes a word of each sign. Nobody
searches for `macht ;`: a sign that stands close behind a word is part of it. Words are parted at
the end of a line by a double stroke, which the models read as a quotation mark or an equals sign.
Nothing else that was recognised is changed, and nothing at all on pages read as antiqua.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from workers.recognition.words import Line, Word

_SIGN: Final = re.compile(r"[,;:!?.]")
_WORD: Final = re.compile(r".*\w[)\]]?", re.DOTALL)
#: Gap between word and sign, in heights of the line; a word space is a third and more.
_CLOSE: Final = 0.45
_PARTED: Final = re.compile(r"(.*[^\W\d_])[»=\u2e17]")
#: Names of models that were trained on Fraktur.
_FRAKTUR: Final = re.compile(r"frk|fraktur|latf", re.IGNORECASE)


def mended(lines: Sequence[Line], models: Sequence[str]) -> tuple[Line, ...]:
    """Return the lines, of Fraktur with signs joined to their words and hyphens for strokes."""
    if not any(_FRAKTUR.search(name) for name in models):
        return tuple(lines)
    joined = [replace(line, words=_joined(line)) for line in lines]
    for number, following in enumerate(joined[1:]):
        joined[number] = _hyphenated(joined[number], following)
    return tuple(joined)


def _joined(line: Line) -> tuple[Word, ...]:
    words: list[Word] = []
    close = _CLOSE * (line.box[3] - line.box[1])
    for word in line.words:
        before = words[-1] if words else None
        if (
            before is not None
            and _SIGN.fullmatch(word.text)
            and _WORD.fullmatch(before.text)
            and word.box[0] - before.box[2] <= close
        ):
            words[-1] = _together(before, word)
        else:
            words.append(word)
    return tuple(words)


def _together(word: Word, sign: Word) -> Word:
    left, top, right, bottom = zip(word.box, sign.box, strict=True)
    length = len(word.text)
    return Word(
        text=word.text + sign.text,
        box=(min(left), min(top), max(right), max(bottom)),
        confidence=(word.confidence * length + sign.confidence) / (length + 1),
    )


def _hyphenated(line: Line, following: Line) -> Line:
    if not line.words or not following.words or not following.words[0].text[:1].islower():
        return line
    match = _PARTED.fullmatch(line.words[-1].text)
    if match is None:
        return line
    return replace(line, words=(*line.words[:-1], replace(line.words[-1], text=f"{match[1]}-")))
