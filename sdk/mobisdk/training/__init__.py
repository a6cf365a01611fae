"""Training, and what it leaves in `runs/`. Importing this imports no torch."""

from mobisdk.training.progress import TrainedRun, TrainProgress
from mobisdk.training.runs import RunSummary, list_runs, newest_checkpoint, read_run
from mobisdk.training.session import fine_tune, resume, train
from mobisdk.training.spec import TrainSpec

__all__ = [
    "RunSummary",
    "TrainProgress",
    "TrainSpec",
    "TrainedRun",
    "fine_tune",
    "list_runs",
    "newest_checkpoint",
    "read_run",
    "resume",
    "train",
]
