import dataclasses
from pathlib import Path

import pytest

from mobisdk.devices.thread_count import find_fastest, list_thread_counts
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import LatencyRun, durations

RUN = parse_run((Path(__file__).parents[1] / "contract/latency/good.jsonl").read_bytes().splitlines()[0])


@pytest.mark.parametrize(("logical", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_counts_double_up_to_the_processors(logical: int, counts: list[int]) -> None:
    assert list_thread_counts(logical) == counts


@pytest.mark.parametrize(
    ("medians", "fastest"),
    [
        ({1: 20.0, 2: 11.0, 4: 6.7, 8: 79.0}, 4),  # a Pixel 6: four cores are fast, eight wait for the slow ones
        ({1: 10.0, 2: 9.95, 4: 9.9}, 1),
        ({1: 10.0, 2: 9.0, 4: 8.95}, 2),
    ],
)
def test_fewest_threads_that_are_nearly_the_fastest_win(medians: dict[int, float], fastest: int) -> None:
    def measure(count: int) -> list[LatencyRun]:
        return [
            dataclasses.replace(RUN, inference_ns=durations([round(1e6 * medians[count] * factor)] * 3))
            for factor in (0.9, 1.0, 1.3)
        ]

    count, found = find_fastest(medians, measure)
    assert count == fastest
    assert found == {count: pytest.approx(1e6 * median) for count, median in medians.items()}
