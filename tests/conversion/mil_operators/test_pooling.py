"""Pools, against loops."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conversion.mil_operators.cases import Array, Build, Case, check

from mobiconvert.quiet import quiet_imports

with quiet_imports():
    from coremltools.converters.mil import Builder as mb  # noqa: N813  (its own documents' name)


def pool_by_loops(
    x: Array, kind: str, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], sizes: Sequence[int]
) -> Array:
    """Pools to `sizes`: the largest, the mean with padding ("mean") or without ("own mean"), the root of squares.

    A window that runs past the padding (ceil_mode) is cut there, as in torch.
    """
    spatial = len(kernel)
    out = np.zeros((*x.shape[:2], *sizes))
    for image, channel in itertools.product(*map(range, x.shape[:2])):
        for place in itertools.product(*map(range, sizes)):
            values, divisor = [], 0
            for taps in itertools.product(*map(range, kernel)):
                where = [place[i] * strides[i] + taps[i] - pads[2 * i] for i in range(spatial)]
                if all(0 <= where[i] < x.shape[2 + i] for i in range(spatial)):
                    values.append(x[(image, channel, *where)])
                    divisor += 1
                elif kind == "mean" and all(where[i] < x.shape[2 + i] + pads[2 * i + 1] for i in range(spatial)):
                    divisor += 1
            out[(image, channel, *place)] = _pool(kind, values, divisor)
    return out


def _pool(kind: str, values: list[float], divisor: int) -> float:
    if kind == "max":
        return max(values)
    return sum(value * value for value in values) ** 0.5 if kind == "l2" else sum(values) / divisor


def _pools(
    label: str,
    size: tuple[int, ...],
    kernel: Sequence[int],
    pads: Sequence[int],
    sizes: Sequence[int],
    *,
    pad_type: str = "custom",
    strides: Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Iterator[Case]:
    """The pools; `pads` and `sizes` are what the options stand for, worked out by hand."""
    strides = strides or [1] * len(kernel)
    options: dict[str, Any] = {"kernel_sizes": kernel, "pad_type": pad_type, "strides": strides, "ceil_mode": ceil_mode}
    options |= {"pad": list(pads)} if pad_type == "custom" else {}
    builds: dict[str, Build] = {
        "max": lambda a: mb.max_pool(x=a, **options),
        "mean": lambda a: mb.avg_pool(x=a, **options),
        "own mean": lambda a: mb.avg_pool(x=a, exclude_padding_from_average=True, **options),
    }
    if not ceil_mode and len(kernel) < 3:
        builds["l2"] = lambda a: mb.l2_pool(
            x=a, **{name: value for name, value in options.items() if name != "ceil_mode"}
        )
    for kind, build in builds.items():
        yield Case(
            f"pool {kind} {label}",
            build,
            lambda a, kind=kind: pool_by_loops(a, kind, kernel, strides, pads, sizes),
            shapes=((1, 2, *size),),
        )


CASES = [
    *_pools("valid", (7, 6), [3, 2], [0, 0, 0, 0], [5, 5], pad_type="valid"),
    *_pools("padded", (7, 7), [3, 3], [1, 1, 1, 1], [4, 4], strides=[2, 2]),
    *_pools("unevenly padded", (6, 6), [3, 3], [0, 1, 1, 0], [5, 5]),
    # 8 elements, window 3, stride 2: floor(5/2)+1 = 3, ceil(5/2)+1 = 4; the last window has 2 elements.
    *_pools("ceil", (8, 8), [3, 3], [0, 0, 0, 0], [4, 4], strides=[2, 2], ceil_mode=True),
    # 6 padded to 8, window 3, stride 2: a fourth window would start at 6 and end in the void.
    *_pools("ceil, padded", (6, 6), [3, 3], [1, 1, 1, 1], [4, 4], strides=[2, 2], ceil_mode=True),
    # 5 padded to 7, window 2, stride 2: ceil(5/2)+1 = 4, and the fourth starts at 6 ≥ 5+1, so it is dropped.
    *_pools("ceil, padded, last window dropped", (5, 5), [2, 2], [1, 1, 1, 1], [3, 3], strides=[2, 2], ceil_mode=True),
    # 7 → 4 outputs take (4-1)·2+2-7 = 1 element.
    *_pools("same", (7, 7), [2, 2], [0, 1, 0, 1], [4, 4], strides=[2, 2], pad_type="same"),
    *_pools("same_lower", (7, 7), [2, 2], [1, 0, 1, 0], [4, 4], strides=[2, 2], pad_type="same_lower"),
    *_pools("1-D", (9,), [3], [1, 1], [5], strides=[2]),
    *_pools("3-D", (4, 3, 4), [2, 3, 2], [0, 0, 1, 1, 0, 0], [3, 3, 2], strides=[1, 1, 2]),
]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_operation_agrees_with_its_definition(case: Case, precision: str, tmp_path: Path) -> None:
    check(case, precision, tmp_path)
