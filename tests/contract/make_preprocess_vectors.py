"""Write `preprocess/`: the vectors that hold the three implementations of contract 3 together.

Run it after a change of the contract, and commit what it writes:
`.venv/bin/python tests/contract/make_preprocess_vectors.py`
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mobisdk.data.photographs import load_photographs
from mobisdk.files import write_atomically
from mobisdk.preprocess import pixels_to_rgb, preprocess
from mobisdk.specs import InputSpec


class Case(NamedTuple):
    name: str
    rgba: NDArray[np.uint8]
    resize: int
    crop: int
    orientation: int = 1


def texture(width: int, height: int) -> NDArray[np.uint8]:
    """Opaque pixels without any symmetry, the same on every machine."""
    y, x, channel = np.ogrid[:height, :width, :4]
    rgba = ((x * 37 + y * 101 + channel * 59 + x * y * 7 + x * x * 3) % 256).astype(np.uint8)
    rgba[..., 3] = 255
    return rgba


def opaque(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def constant(width: int, height: int, colour: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    return np.full((height, width, 4), colour, np.uint8)


def grey(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return opaque(np.repeat(values[..., None], 3, axis=2))


def single_pixel(side: int) -> NDArray[np.uint8]:
    values = np.zeros((side, side), np.uint8)
    values[side // 2, side // 2] = 255
    return grey(values)


def cases() -> Iterator[Case]:
    for orientation in range(1, 9):
        yield Case(f"orientation_{orientation}", texture(13, 9), 8, 6, orientation)
    yield Case("grey", grey(texture(16, 12)[..., 0]), 9, 8)

    steps = np.arange(0, 256, 5, dtype=np.uint8)
    colour, alpha = np.meshgrid(steps, steps)
    yield Case("alpha_every_fifth", np.dstack([colour, 255 - colour, colour // 2, alpha]), 52, 52)
    yield Case("alpha_none", constant(8, 8, (255, 128, 1, 0)), 6, 5)
    yield Case("alpha_partial", np.dstack([texture(20, 14)[..., :3], texture(14, 20)[..., 0].T]), 9, 8)

    yield Case("one_pixel", constant(1, 1, (3, 128, 254, 255)), 1, 1)
    yield Case("one_pixel_enlarged", constant(1, 1, (3, 128, 254, 255)), 5, 4)
    yield Case("one_wide", texture(1, 17), 4, 3)
    yield Case("one_high", texture(17, 1), 4, 3)
    yield Case("very_wide_enlarged", texture(400, 2), 3, 3)
    yield Case("very_high_enlarged", texture(2, 400), 3, 3)
    yield Case("very_wide_shrunk", texture(301, 7), 3, 2)

    yield Case("enlarged_twice", texture(6, 6), 12, 12)
    yield Case("enlarged", texture(5, 4), 32, 28)
    yield Case("shrunk_four_times", texture(32, 32), 8, 8)
    yield Case("shrunk", texture(50, 37), 16, 14)
    yield Case("shrunk_a_little", texture(24, 23), 22, 21)
    yield Case("exact", texture(24, 24), 24, 24)
    yield Case("exact_odd_offset", texture(31, 24), 24, 24)  # 7 left over: 3 left of the crop, 4 right
    yield Case("exact_even_offset", texture(24, 30), 24, 22)
    yield Case("longer_side_rounds_half_up", texture(3, 2), 3, 3)  # 4.5 becomes 5
    yield Case("mean_rounds_half_up", grey(np.array([[0, 1], [0, 1]], np.uint8)), 1, 1)  # 0.5 becomes 1

    yield Case("constant_enlarged", constant(7, 5, (1, 99, 255, 255)), 12, 11)
    yield Case("constant_shrunk", constant(23, 17, (1, 99, 255, 255)), 6, 5)
    yield Case("checkerboard", grey((np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)), 13, 11)
    yield Case("single_pixel_shrunk", single_pixel(33), 11, 11)
    yield Case("single_pixel_enlarged", single_pixel(3), 10, 9)

    china, flower = (photograph.pixels for photograph in load_photographs())
    yield Case("photograph", opaque(china[120:210, 60:180]), 64, 56)
    yield Case("photograph_turned", opaque(flower[150:222, 240:336]), 37, 32, orientation=6)


def make_files() -> dict[str, bytes]:
    """The content of every file of `preprocess/`, by name."""
    files, vectors = {}, []
    for case in cases():
        height, width, _ = case.rgba.shape
        rgb = preprocess(pixels_to_rgb(case.rgba, case.orientation), InputSpec(case.resize, case.crop))
        files[f"{case.name}.rgba"], files[f"{case.name}.rgb"] = case.rgba.tobytes(), rgb.tobytes()
        vectors.append(
            {
                "name": case.name,
                "width": width,
                "height": height,
                "orientation": case.orientation,
                "resize": case.resize,
                "crop": case.crop,
                "input": f"{case.name}.rgba",
                "output": f"{case.name}.rgb",
            }
        )
    document = {"schema": "mobisdk.preprocess_vectors/1", "tolerance": 1, "vectors": vectors}
    files["vectors.json"] = (json.dumps(document, indent=2) + "\n").encode()
    return files


if __name__ == "__main__":
    folder = Path(__file__).parent / "preprocess"
    for name, content in make_files().items():
        write_atomically(folder / name, content)
