"""Where a training runs, and in which numbers: decided once, and kept in the plan."""

import torch

from mobisdk.errors import UnsupportedError
from mobisdk.training.spec import ChosenDevice, ChosenPrecision, DeviceName, PrecisionName

_SMALLEST_BFLOAT16_BATCH = 64


def choose_device(wanted: DeviceName) -> ChosenDevice:
    """A GPU where there is one and it was not ruled out.

    Raises:
        UnsupportedError: a GPU is wanted, and torch sees none.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise UnsupportedError(
            "torch sees no GPU here",
            got=wanted,
            allowed="auto, cpu",
            hint="On a computer with one, install the build of torch for it: https://pytorch.org/get-started",
        )
    return "cuda"


def choose_precision(wanted: PrecisionName, device: ChosenDevice, batch_size: int) -> ChosenPrecision:
    """bfloat16 on GPUs, float32 on processors, unless one is asked for.

    On processors that multiply bfloat16 matrices (Intel's AMX) it is quicker, and some trainings diverge that do not in
    float32: a person decides. Small batches stay in float32 everywhere: where a batch norm sees few images that are
    much alike, it divides by little more than bfloat16's rounding.
    """
    if wanted != "auto":
        return wanted
    return "bfloat16" if device == "cuda" and batch_size >= _SMALLEST_BFLOAT16_BATCH else "float32"
