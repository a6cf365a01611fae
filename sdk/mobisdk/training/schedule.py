"""The learning rate at every step, as a share of the highest one."""

import math

from mobisdk.training.spec import ScheduleName

_FIRST_DIVISOR = 25
"""A one-cycle schedule starts at 1/25 of the highest rate …"""
_LAST_DIVISOR = 1e4
"""… and ends at 1/10,000 of that start."""


_EXPONENTIAL_END = 0.94**100
"""Inception v3's rate falls by 6 % every other epoch: so far in 200 epochs, and as far in any other number."""


def learning_rate_factor(schedule: ScheduleName, step: float, steps: int, warmup: float) -> float:
    """In (0, 1], for `step` from 0 to `steps` - 1, where the share `warmup` of the steps rises to 1.

    A place between two steps is a schedule's that was cut short. `one_cycle` rises and falls along half cosines;
    `cosine` rises along a line, and falls along a half cosine; `exponential` rises along a line too, and falls by the
    same share at every step.

    Source: Smith and Topin 2017 (arXiv:1708.07120), with torch's `OneCycleLR`'s cosines; Loshchilov and Hutter 2016
    (arXiv:1608.03983) with the linear warm-up of Goyal et al. 2017 (arXiv:1706.02677).
    """
    if schedule == "one_cycle":
        top, last = warmup * steps - 1, steps - 1
        first = 1 / _FIRST_DIVISOR
        if step <= top:
            return _half_cosine(first, 1.0, step / top if top else 1.0)
        return _half_cosine(1.0, first / _LAST_DIVISOR, (step - top) / (last - top) if last > top else 0.0)
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if schedule == "exponential":
        return float(_EXPONENTIAL_END ** ((step - rising) / max(1, steps - 1 - rising)))
    return _half_cosine(1.0, 0.0, (step - rising) / (steps - rising))


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
