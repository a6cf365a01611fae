"""How latency changes while a phone runs on: the sustained runs of a group, in steps of time."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import sqlalchemy as sa

from mobisdk.latency.log import parse_run
from mobisdk.server.store.engine import Store
from mobisdk.server.store.schema import contents, runs

_MOST_GROUPS: Final = 12
_LATEST_RUNS: Final = 5
_STEPS: Final = 60


def read_timelines(store: Store, group_ids: Sequence[str]) -> dict[str, list[dict[str, float]]]:
    """Return, for each group, the median of its latest sustained runs in each step of time: `{s, ms}`."""
    timelines = {}
    for group_id in group_ids[:_MOST_GROUPS]:
        newest = (
            sa.select(runs.c.seq)
            .where(runs.c.group_id == group_id, runs.c.mode == "sustained", runs.c.kept_apart.is_(None))
            .order_by(runs.c.seq.desc())
            .limit(_LATEST_RUNS)
        )
        with store.reading() as connection:
            lines = connection.execute(sa.select(contents.c.line).where(contents.c.seq.in_(newest))).scalars().all()
        if lines:
            timelines[group_id] = _step(lines)
    return timelines


def _step(lines: Sequence[str]) -> list[dict[str, float]]:
    read = [parse_run(line) for line in lines]
    at = np.concatenate([run.sample_at_ns for run in read]) / 1e9
    ms = np.concatenate([run.inference_ns for run in read]) / 1e6
    end = float(at.max())
    step = np.minimum((at / end * _STEPS).astype(int), _STEPS - 1) if end else np.zeros(at.size, int)
    return [
        {"s": round((number + 0.5) * end / _STEPS, 3), "ms": round(float(np.median(ms[step == number])), 6)}
        for number in np.unique(step)
    ]
