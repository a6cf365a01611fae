"""How many threads are fastest here: tried, not assumed, since more may be many times slower."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mobisdk.latency.record import LatencyRun
from mobisdk.latency.threads import choose_threads


def list_thread_counts(logical: int) -> list[int]:
    """1, 2, 4 … up to the logical processors, which are among them."""
    return sorted({*(1 << power for power in range(logical.bit_length()) if 1 << power <= logical), logical})


def find_fastest(counts: Iterable[int], measure: Callable[[int], Sequence[LatencyRun]]) -> tuple[int, dict[int, float]]:
    """Measure with each count; return the fewest threads that are nearly the fastest, and every median (ns)."""
    medians = {
        count: float(np.median([np.median(run.inference_ns) for run in measure(count)])) for count in sorted(counts)
    }
    return choose_threads(medians), medians
