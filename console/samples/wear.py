"""What feeding and lighting do to a page: a little crooked, a little noisy.

numpy is imported inside, because the command line imports this package at its start.
"""

from __future__ import annotations

from PIL import Image


def worn(page: Image.Image, *, seed: int, skew: float, noise: float) -> Image.Image:
    """Return `page` (mode "L") turned by `skew` degrees and with Gaussian noise added."""
    if skew:
        page = page.rotate(skew, resample=Image.Resampling.BICUBIC, fillcolor=255)
    if not noise:
        return page
    import numpy as np

    grain = np.random.default_rng(seed).normal(0.0, noise, (page.height, page.width))
    return Image.fromarray(np.clip(np.asarray(page) + grain, 0, 255).astype(np.uint8))
