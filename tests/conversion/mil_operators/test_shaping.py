"""Values moved, against NumPy's own ways."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from tests.conversion.mil_operators.cases import Array, Case, check, constant, scalar

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


def _batch_to_space(a: Array) -> Array:
    """Image (3i+j)·2 + n gives image n its pixels (2h+i, 3w+j)."""
    pixels = np.zeros((2, 2, 4, 6))
    for i, j in itertools.product(range(2), range(3)):
        pixels[..., i::2, j::3] = a[2 * (3 * i + j) : 2 * (3 * i + j) + 2]
    return pixels[..., 1:, :-2]


CASES = [
    Case("reshape", lambda a: mb.reshape(x=a, shape=[0, -1, 2]), lambda a: a.reshape(2, 6, 2)),
    Case("transpose", lambda a: mb.transpose(x=a, perm=[2, 0, 1]), lambda a: a.transpose(2, 0, 1)),
    Case("squeeze", lambda a: mb.squeeze(x=a, axes=[1]), lambda a: a[:, 0], shapes=((2, 1, 3, 1),)),
    Case("squeeze all", lambda a: mb.squeeze(x=a), lambda a: a[:, 0, :, 0], shapes=((2, 1, 3, 1),)),
    Case("expand_dims", lambda a: mb.expand_dims(x=a, axes=[0, -1]), lambda a: a[None, ..., None]),
    Case(
        "concat",
        lambda a, b: mb.concat(values=[a, b, a], axis=1),
        lambda a, b: np.concatenate([a, b, a], 1),
        shapes=((2, 3, 4), (2, 1, 4)),
    ),
    Case(
        "concat, interleaved",
        lambda a, b: mb.concat(values=[a, b], axis=0, interleave=True),
        lambda a, b: np.array([a[0], b[0], a[1], b[1], a[2], b[2]]),
        shapes=((3, 2), (3, 2)),
        coremltools_errs="it does not interleave",
    ),
    Case(
        "concat with a constant",
        lambda a: mb.concat(values=[a, constant(np.ones((2, 1)), a)], axis=-1),
        lambda a: np.concatenate([a, np.ones((2, 1))], -1),
        shapes=((2, 3),),
    ),
    Case("stack", lambda a: mb.stack(values=[a, a], axis=1), lambda a: np.stack([a, a], 1)),
    Case("split in two", lambda a: mb.split(x=a, num_splits=2, axis=2), lambda a: [a[..., :2], a[..., 2:]]),
    Case("split by sizes", lambda a: mb.split(x=a, split_sizes=[1, 2], axis=1), lambda a: [a[:, :1], a[:, 1:]]),
    Case(
        "slice_by_index",
        lambda a: mb.slice_by_index(x=a, begin=[0, -2, 1], end=[2, 3, 4], stride=[1, 1, 2]),
        lambda a: a[0:2, -2:3, 1:4:2],
    ),
    Case(
        "slice_by_index, masked",
        lambda a: mb.slice_by_index(
            x=a,
            begin=[1, 5, 9],
            end=[9, 2, 0],
            stride=[1, 1, -1],
            begin_mask=[False, True, True],
            end_mask=[False, False, True],
            squeeze_mask=[True, False, False],
        ),
        lambda a: a[1, :2, ::-1],
    ),
    Case(
        "slice_by_size",
        lambda a: mb.slice_by_size(x=a, begin=[0, 1, -2], size=[1, -1, 2]),
        lambda a: a[0:1, 1:, 2:4],
    ),
    Case(
        "pad",
        lambda a: mb.pad(x=a, pad=[0, 1, 2, 0], mode="constant", constant_val=scalar(0.5, a)),
        lambda a: np.pad(a, [(0, 0), (0, 1), (2, 0)], constant_values=0.5),
    ),
    Case(
        "pad, reflected",
        lambda a: mb.pad(x=a, pad=[1, 2, 3, 0], mode="reflect"),
        lambda a: np.pad(a, [(0, 0), (1, 2), (3, 0)], mode="reflect"),
    ),
    Case(
        "pad, replicated",
        lambda a: mb.pad(x=a, pad=[1, 2, 3, 0], mode="replicate"),
        lambda a: np.pad(a, [(0, 0), (1, 2), (3, 0)], mode="edge"),
    ),
    Case("tile", lambda a: mb.tile(x=a, reps=[2, 1, 3]), lambda a: np.tile(a, (2, 1, 3))),
    Case("reverse", lambda a: mb.reverse(x=a, axes=[0, 2]), lambda a: a[::-1, :, ::-1]),
    Case("reverse all", lambda a: mb.reverse(x=a), lambda a: a[::-1, ::-1, ::-1]),
    Case(
        "pixel_shuffle",
        lambda a: mb.pixel_shuffle(x=a, upscale_factor=2),
        lambda a: a.reshape(1, 2, 2, 2, 3, 4).transpose(0, 1, 4, 2, 5, 3).reshape(1, 2, 6, 8),
        shapes=((1, 8, 3, 4),),
    ),
    Case(
        "pixel_unshuffle",
        lambda a: mb.pixel_unshuffle(x=a, downscale_factor=np.uint32(2)),
        lambda a: a.reshape(1, 2, 3, 2, 4, 2).transpose(0, 1, 3, 5, 2, 4).reshape(1, 8, 3, 4),
        shapes=((1, 2, 6, 8),),
    ),
    Case(
        "depth_to_space",
        lambda a: mb.depth_to_space(x=a, block_size=2),
        # Channel c of pixel (2h+i, 2w+j) is channel (2i+j)·C + c of (h, w).
        lambda a: np.stack(
            [
                np.stack([a[:, (2 * (h % 2) + w % 2) * 2 :][:, :2, h // 2, w // 2] for w in range(8)], -1)
                for h in range(6)
            ],
            -2,
        ),
        shapes=((1, 8, 3, 4),),
    ),
    Case(
        "space_to_depth",
        lambda a: mb.space_to_depth(x=a, block_size=2),
        lambda a: np.concatenate([a[..., i::2, j::2] for i in range(2) for j in range(2)], 1),
        shapes=((1, 2, 6, 8),),
    ),
    Case(
        "space_to_batch",
        lambda a: mb.space_to_batch(x=a, block_shape=[2, 3], paddings=[[1, 0], [0, 2]]),
        lambda a: np.concatenate(
            [np.pad(a, [(0, 0), (0, 0), (1, 0), (0, 2)])[..., i::2, j::3] for i in range(2) for j in range(3)]
        ),
        shapes=((2, 2, 3, 4),),
    ),
    Case(
        "batch_to_space",
        lambda a: mb.batch_to_space(x=a, block_shape=[2, 3], crops=[[1, 0], [0, 2]]),
        _batch_to_space,
        shapes=((12, 2, 2, 2),),
    ),
    Case(
        "crop",
        lambda a: mb.crop(x=a, crop_height=[1, 0], crop_width=[2, 1]),
        lambda a: a[:, :, 1:, 2:-1],
        shapes=((2, 3, 4, 5),),
    ),
    Case("flatten2d", lambda a: mb.flatten2d(x=a, axis=2), lambda a: a.reshape(6, 4)),
    Case("flatten2d, negative axis", lambda a: mb.flatten2d(x=a, axis=-2), lambda a: a.reshape(2, 12)),
    Case(
        "sliding_windows",
        lambda a: mb.sliding_windows(x=a, axis=1, size=3, stride=2),
        lambda a: np.stack([a[:, 0:3], a[:, 2:5], a[:, 4:7]], 1),
        shapes=((2, 7, 4),),
    ),
    Case("band_part, lower", lambda a: mb.band_part(x=a, lower=-1, upper=0), np.tril, shapes=((2, 4, 5),)),
    Case("band_part, upper", lambda a: mb.band_part(x=a, lower=0, upper=-1), np.triu, shapes=((2, 4, 5),)),
    Case(
        "band_part",
        lambda a: mb.band_part(x=a, lower=2, upper=1),
        lambda a: np.triu(np.tril(a, 1), -2),
        shapes=((2, 4, 5),),
    ),
]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)
