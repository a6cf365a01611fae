"""A grid of trainings, on this machine or on a Ray cluster. Importing this imports neither torch nor Ray."""

from mobisdk.training.sweep.driver import SweepProgress, SweepResult, resume_sweep, sweep
from mobisdk.training.sweep.local import LocalPool
from mobisdk.training.sweep.spec import SweepSpec, Trial

__all__ = ["LocalPool", "SweepProgress", "SweepResult", "SweepSpec", "Trial", "resume_sweep", "sweep"]
