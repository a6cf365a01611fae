"""Which trials are not worth another epoch: those that ASHA would stop, where a cheaper network is better already."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final

from mobisdk.errors import UnsupportedError
from mobisdk.training.sweep.spec import Trial
from mobisdk.training.sweep.trial import EpochReport

_REDUCTION: Final = 2
_GRACE_EPOCHS: Final = 2
"""After the first epoch accuracies are still chance."""


class Judge:
    """Ray Tune's asynchronous successive halving, which may not stop what could lie on the Pareto front.

    ASHA compares accuracies alone and would stop the small networks first, which are the point of a sweep. A trial is
    hopeless where ASHA would stop it and a network of fewer multiply-adds was as accurate after as many epochs.

    Raises:
        UnsupportedError: Ray is not installed.

    Source: Li et al. 2018, "A System for Massively Parallel Hyperparameter Tuning" (arXiv:1810.05934).
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        try:
            from ray.tune.schedulers import AsyncHyperBandScheduler
        except ImportError as error:
            raise UnsupportedError("--stop-hopeless needs Ray Tune", hint="pip install 'mobisdk[ray]'") from error
        self._create = AsyncHyperBandScheduler
        self._scheduler: Any = None
        self._macs = {trial.name: trial.macs for trial in trials}
        self._seen: dict[str, dict[int, float]] = {trial.name: {} for trial in trials}

    def keep_on(self, report: EpochReport) -> bool:
        """Note an epoch, and judge its trial by all that were noted; an epoch that was noted before changes nothing."""
        if self._scheduler is None:
            self._scheduler = self._create(
                "epoch", "accuracy", "max", max(report.epochs, _GRACE_EPOCHS), _GRACE_EPOCHS, _REDUCTION,
            )  # fmt: skip
            for name in self._macs:
                self._scheduler.on_trial_add(None, SimpleNamespace(trial_id=name))
        if report.epoch in self._seen[report.trial]:
            return True
        self._seen[report.trial][report.epoch] = report.accuracy
        verdict = self._scheduler.on_trial_result(
            None, SimpleNamespace(trial_id=report.trial), {"epoch": report.epoch, "accuracy": report.accuracy}
        )
        return bool(verdict == self._scheduler.CONTINUE) or not self._has_cheaper_rival(report)

    def _has_cheaper_rival(self, report: EpochReport) -> bool:
        return any(
            self._macs[name] < self._macs[report.trial] and epochs.get(report.epoch, -1.0) >= report.accuracy
            for name, epochs in self._seen.items()
        )
