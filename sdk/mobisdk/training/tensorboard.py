"""A run's curves for TensorBoard, from the very lines that metrics.jsonl keeps."""

from datetime import datetime

from mobisdk.errors import UnsupportedError
from mobisdk.training.runs import RunSummary, read_run

FOLDER = "tensorboard"
_SCALARS = ("loss", "accuracy", "learning_rate", "images_per_second", "data_wait_share")


class TensorBoardLogs:
    """Writes an epoch when it is whole; epochs of before a resumption are in the files of before.

    Raises:
        UnsupportedError: TensorBoard is not installed.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UnsupportedError(
                "--tensorboard needs TensorBoard", hint="pip install 'mobisdk[tensorboard]'"
            ) from error
        self._create = SummaryWriter
        self._writer: SummaryWriter | None = None
        self._run: RunSummary | None = None
        self._epochs = 0

    def start(self, run: RunSummary) -> None:
        """Open the files in the run's folder."""
        self._run, self._epochs = run, len(run.metrics)
        self._writer = self._create(str(run.folder / FOLDER))

    def write_epochs(self) -> None:
        """Write what is new, by the training's step, and flush."""
        if self._run is None or self._writer is None:
            return
        for line in read_run(self._run.folder).metrics[self._epochs :]:
            for name in _SCALARS:
                when = datetime.fromisoformat(line["finished_at"]).timestamp()
                self._writer.add_scalar(name, line[name], line["step"], when)
            self._epochs += 1
        self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()
