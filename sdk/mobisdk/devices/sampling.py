"""The timed section: sample after sample, and when warming up is over."""

import contextlib
import dataclasses
import gc
import statistics
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mobisdk.devices.classifier import Classifier
from mobisdk.devices.top_k import top_k
from mobisdk.preprocess import preprocess
from mobisdk.specs import InputSpec

WINDOW = 5
STILL_FALLING = 0.98
"""A window whose median is below this share of the one before is still getting faster."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Nanoseconds, one entry a sample; `sample_at_ns` counts from the first sample's start."""

    preprocess_ns: list[int] = dataclasses.field(default_factory=list)
    inference_ns: list[int] = dataclasses.field(default_factory=list)
    postprocess_ns: list[int] = dataclasses.field(default_factory=list)
    sample_at_ns: list[int] = dataclasses.field(default_factory=list)


def take_samples(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    spec: InputSpec,
    is_over: Callable[[Samples, int], bool],
    clock: Callable[[], int],
) -> Samples:
    """Classify `pixels`, (H,W,3) uint8 RGB, back to back until `is_over(samples, elapsed_ns)`; at least once."""
    samples = Samples()
    begun = first = clock()
    while True:
        prepared = classifier.prepare(preprocess(pixels, spec))
        ready = clock()
        logits = classifier.forward(prepared)
        ran = clock()
        top_k(logits)
        done = clock()
        samples.preprocess_ns.append(ready - begun)
        samples.inference_ns.append(ran - ready)
        samples.postprocess_ns.append(done - ran)
        samples.sample_at_ns.append(begun - first)
        if is_over(samples, done - first):
            return samples
        begun = clock()


def is_warm(inference_ns: Sequence[int]) -> bool:
    """Tell whether times stopped falling: the median of the last window against that of the window before."""
    if len(inference_ns) < 2 * WINDOW:
        return False
    before = statistics.median(inference_ns[-2 * WINDOW : -WINDOW])
    return statistics.median(inference_ns[-WINDOW:]) >= STILL_FALLING * before


@contextlib.contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Collect once, then not while within: a collection takes longer than a small network, and empties its caches."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
