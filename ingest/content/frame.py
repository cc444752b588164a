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
        damage: What the decoder complained about while it went on, None where it did not.
    """

    pixels: Pixels
    mode: Mode
    dpi: tuple[float, float]
    dpi_source: Literal["file", "default"]
    damage: str | None = None

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
    pixels = width * height
    if pixels <= max_pixels:
        return
    what = f"{width} x {height}" if height > 1 else f"{pixels:,}"  # of a PDF only the sum is known
    raise DecompressionBomb(
        f"page {index + 1}: {what} pixels, {max_pixels} are allowed",
        operator_text=(
            f"Seite {index + 1} ist mit {what} Bildpunkten größer als jede Papierseite (erlaubt"
            f" sind {max_pixels:,} Bildpunkte). Die Datei wird nicht entpackt; bitte Herkunft"
            " prüfen."
        ).replace(",", "."),
    )
