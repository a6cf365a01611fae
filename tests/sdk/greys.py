"""Grey images in class folders: the smallest data that a network can learn."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_greys(folder: Path, brightness: dict[str, int], side: int = 32) -> Path:
    """Twenty images a class, each a little brighter here and there than its class."""
    generator = np.random.default_rng(0)
    for name, value in brightness.items():
        (folder / name).mkdir(parents=True)
        for index in range(20):
            pixels = value + generator.integers(0, 50, (side, side, 3), np.uint8)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{index}.png")
    return folder
