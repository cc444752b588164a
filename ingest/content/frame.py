"""A decoded page, and the limit on its size that is checked before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.errors import DecompressionBomb

Pixels = NDArray[np.uint8]
Mode = Literal["1", "L", "RGB"]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A decoded page.

    Attributes:
        pixels: uint8, (height, width) or (height, width, 3); 0 = black.
        mode: `1` has only 0 and 255, `L` is grey, `RGB` has three channels.
        dpi: dots per inch, horizontal and vertical, of the upright page.
        dpi_source: `default` where the file gave none that can be believed.
    """

    pixels: Pixels
    mode: Mode
    dpi: tuple[float, float]
    dpi_source: Literal["file", "default"]

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])

    def grey(self) -> Pixels:
        """Return the luminance, (height, width); the same array where the page is not coloured."""
        if self.mode != "RGB":
            return self.pixels
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def check_size(width: int, height: int, index: int, max_pixels: int) -> None:
    """Refuse a picture that is larger than any page.

    Raises:
        DecompressionBomb: `width` times `height` exceeds `max_pixels`.
    """
    if width * height > max_pixels:
        raise bomb(index, f"{width} x {height} Bildpunkte", max_pixels)


def bomb(index: int, what: str, max_pixels: int) -> DecompressionBomb:
    """Say that the page at `index` is larger than any page of paper."""
    return DecompressionBomb(
        f"page {index + 1}: {what} exceeds {max_pixels} pixels",
        operator_text=(
            f"Seite {index + 1} ist mit {what} größer als jede Papierseite (erlaubt sind"
            f" {max_pixels:,} Bildpunkte). Die Datei wird nicht entpackt; bitte Herkunft prüfen."
        ).replace(",", "."),
    )
