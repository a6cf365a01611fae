"""`mobisdk train`: images in, a trained network out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.console import Json, print_json, say, stderr
from mobisdk.cli.durations import format_duration, parse_duration
from mobisdk.cli.resumed_settings import refuse_differences
from mobisdk.cli.starting_network import open_start
from mobisdk.cli.train_methods import (
    Alphas,
    DistillMix,
    Resolutions,
    Supernet,
    Teacher,
    Temperature,
    Unlabelled,
    explain_methods,
    list_widths,
    read_distillation,
    read_supernet,
)
from mobisdk.cli.train_options import BatchSize, Epochs, PresetOption, Seed, SkipBroken, StemStride, WidthDivisor
from mobisdk.errors import ConfigError
from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from mobisdk.training import RunSummary, TrainedRun, TrainProgress
    from mobisdk.training.tensorboard import TensorBoardLogs

_DIGITS = {"alpha": 0.25, "resolution": 32, "stem_stride": 1}
"""The scans are small and easy."""
_STEPS_TO_ESTIMATE = 10
_NAMES_SHOWN = 5


def train(
    data: Annotated[
        str | None,
        typer.Option(help="digits, a folder of class folders, Parquet, or WebDataset shards.  [default: digits]"),
    ] = None,
    arch: Annotated[
        str | None, typer.Option(help="Architecture; see `mobisdk models list`.  [default: mobilenet_v1]")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Width multiplier, 0 < α ≤ 2.  [default: 1.0; for digits 0.25]")
    ] = None,
    resolution: Annotated[
        int | None, typer.Option(help="Input height and width in pixels.  [default: 224; for digits 32]")
    ] = None,
    stem_stride: StemStride = None,
    width_divisor: WidthDivisor = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Fine-tune published weights: a .safetensors file, or hf://owner/name[/file]."),
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Fine-tune a checkpoint of `train` or `compress`.")] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="Fine-tune the classifier alone.")] = False,
    preset: PresetOption = None,
    epochs: Epochs = None,
    budget: Annotated[
        str | None, typer.Option(help="As many epochs as end in this time: 90s, 20m, 1.5h.", metavar="TIME")
    ] = None,
    batch_size: BatchSize = None,
    optimizer: Annotated[
        str | None, typer.Option(help="sgd, rmsprop (the paper's) or adamw.  [default: by the preset]")
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(help="Course of the learning rate: one_cycle, cosine, exponential.  [default: by the preset]"),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Highest learning rate.  [default: by the optimizer and the network]")
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Not for depthwise filters, norms and biases.  [default: by α]")
    ] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="From 0 to 0.9.  [default: by α]")] = None,
    ema_decay: Annotated[
        float | None, typer.Option(help="Of the weights' moving average; 0 for none.  [default: by the steps]")
    ] = None,
    class_weights: Annotated[bool, typer.Option("--class-weights", help="Weigh classes by how rare they are.")] = False,
    precision: Annotated[
        str | None,
        typer.Option(
            help="auto (bfloat16 on a GPU), float32 or bfloat16, which is quicker with Intel's AMX.  [default: auto]"
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.  [default: auto]")] = None,
    seed: Seed = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Decode while training: for data too large to keep decoded.")
    ] = False,
    skip_broken: SkipBroken = False,
    teacher: Teacher = None,
    temperature: Temperature = None,
    distill_mix: DistillMix = None,
    unlabelled: Unlabelled = None,
    supernet: Supernet = False,
    alphas: Alphas = None,
    resolutions: Resolutions = None,
    devices: Annotated[
        int | None, typer.Option(help="GPUs of this machine, or without any processes, that share each batch.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Keep logs for TensorBoard in the run.")] = False,
    name: Annotated[
        str | None, typer.Option(help="Of the run's folder.  [default: the network's and the data's]")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs"),
    resume: Annotated[
        str | None, typer.Option(help="Name of a run that was stopped: go on with it, with its own settings.")
    ] = None,
    json: Json = False,
) -> None:
    """Train a network on labelled images.

    It is tested on held-out images and kept after every epoch.
    """
    network: dict[str, Any] = {
        "arch": arch,
        "alpha": alpha,
        "resolution": resolution,
        "stem_stride": stem_stride,
        "width_divisor": width_divisor,
    }
    network = _given(network)
    settings = {
        "data": data,
        "preset": preset,
        "epochs": epochs,
        "budget_seconds": None if budget is None else parse_duration(budget),
        "batch_size": batch_size,
        "optimizer": optimizer,
        "schedule": schedule,
        "learning_rate": lr,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "ema_decay": ema_decay,
        "class_weights": class_weights or None,
        "freeze": freeze or None,
        "precision": precision,
        "device": device,
        "seed": seed,
        "stream": stream or None,
        "skip_broken": skip_broken or None,
        "distillation": read_distillation(teacher, temperature, distill_mix, unlabelled),
        "supernet": read_supernet(supernet, alphas, resolutions, network),
    }
    start = {"weights": weights, "checkpoint": checkpoint}
    trained = _train(network, _given(settings), _given(start), name, runs, resume, devices, tensorboard)
    if not _is_first():
        return
    if json:
        print_json(describe_trained(trained))
        return
    from mobisdk.training.runs import WIDTHS

    low, high = trained.accuracy_interval
    print(
        f"{trained.model.name}: {trained.accuracy:.1%} of {trained.tested:,} held-out images right "
        f"(95 % interval {low:.1%} to {high:.1%}), {trained.epochs} epochs in {format_duration(trained.seconds)}\n"
        f"{trained.checkpoint}"
    )
    for line in list_widths(trained.widths):
        print(line)
    narrower = f" --alpha {trained.widths[-1]['alpha']:g}" if trained.widths else ""
    say(f"Next: mobisdk export --target android --checkpoint {trained.checkpoint}{narrower}")
    if trained.widths:
        say(f"Or: mobisdk choose --device DEVICE --max-latency-ms 10 --accuracy {trained.folder / WIDTHS}")


def describe_trained(trained: "TrainedRun") -> dict[str, Any]:
    """A finished training, as JSON."""
    import dataclasses

    return {
        **dataclasses.asdict(trained),
        "folder": str(trained.folder),
        "checkpoint": str(trained.checkpoint),
        "accuracy": trained.accuracy,
        "accuracy_interval": trained.accuracy_interval,
    }


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {option: value for option, value in options.items() if value is not None}


def _train(
    network: dict[str, Any],
    settings: dict[str, Any],
    start: dict[str, Any],
    name: str | None,
    runs: Path,
    resumed: str | None,
    devices: int | None,
    tensorboard: bool,
) -> "TrainedRun":
    from mobisdk.training import TrainSpec, fine_tune, read_run, resume, train

    with _Display(tensorboard) as display:
        heard: dict[str, Any] = {
            "devices": devices,
            "on_decoded": display.decoded,
            "on_start": display.started,
            "on_progress": display.progressed,
        }
        if resumed is not None:
            if given := sorted(_given({**start, "name": name})):
                raise ConfigError("--resume goes on with a run as it was started", got=given, hint="Leave these out")
            refuse_differences(read_run(runs / resumed), network, settings)
            return resume(runs / resumed, **heard)
        if start:
            module, checkpoint = open_start(start.get("weights"), start.get("checkpoint"), network)
            spec = TrainSpec(checkpoint.model, **settings)
            return fine_tune(module, checkpoint, spec, runs=runs, name=name, **heard)
        usual = _DIGITS if settings.get("data", "digits") == "digits" else {}
        return train(TrainSpec(ModelSpec(**{**usual, **network}), **settings), runs=runs, name=name, **heard)


def _is_first() -> bool:
    from mobisdk.training.processes import is_first  # with the room of training, which --help can do without

    return is_first()


def _open_logs() -> "TensorBoardLogs":
    from mobisdk.training.tensorboard import TensorBoardLogs

    return TensorBoardLogs()


class _Display:
    """A bar on a terminal; elsewhere a line an epoch."""

    def __init__(self, tensorboard: bool) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            console=stderr(),
            transient=True,
            disable=not stderr().is_terminal or not _is_first(),
        )
        self._task = self._bar.add_task("Decoding", total=None, said="")
        self._run: RunSummary | None = None
        self._steps = 0
        self._logs = _open_logs() if tensorboard and _is_first() else None

    def __enter__(self) -> "_Display":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bar.stop()
        if self._logs is not None:
            self._logs.close()
        if kind is KeyboardInterrupt and self._run is not None:
            say(f"Go on with: mobisdk train --resume {self._run.name} --runs {self._run.folder.parent}")

    def decoded(self, done: int, total: int) -> None:
        """Show how many images are decoded."""
        self._bar.update(self._task, completed=done, total=total, said=f"{done:,} of {total:,} images")

    def started(self, run: "RunSummary") -> None:
        """Say what is trained on what, and what was left out."""
        self._run = run
        if self._logs is not None:
            self._logs.start(run)
        plan, data = run.plan, run.data
        self._say(
            f"{run.name}: {plan.model.name} on {data['train_images']:,} images of {len(data['classes'])} classes, "
            f"{data['test_images']:,} held out; {plan.epochs} epochs of {plan.optimizer}, "
            f"learning rate up to {plan.learning_rate:g}{f' ({why})' if (why := plan.rate_reason) else ''}, "
            f"{plan.precision} on {plan.device}."
        )
        for sentence in explain_methods(run):
            self._say(sentence)
        if run.start and run.start["head"] == "new":
            self._say("Its classes are others than the trained network's: the classifier begins anew.")
        if data["duplicates"]:
            self._say(f"Copies of images, left out of training: {data['duplicates']:,}.")
        if data["ignored"]:
            self._say(f"Files that are no JPEG, PNG or WebP, left out: {data['ignored']:,}.")
        if broken := data["broken"]:
            shown = ", ".join(broken[:_NAMES_SHOWN]) + (", …" if len(broken) > _NAMES_SHOWN else "")
            self._say(f"Broken images, left out: {len(broken):,} ({shown}).")

    def progressed(self, now: "TrainProgress") -> None:
        """Move the bar, or print a line where there is no terminal to draw on."""
        self._steps += 1
        if self._logs is not None and now.epoch_done:
            self._logs.write_epochs()
        said = (
            f"loss {now.loss:.3f}, {'–' if now.accuracy is None else f'{now.accuracy:.1%}'} of held-out images right, "
            f"{now.images_per_second:,.0f} images/s, {now.data_wait_share:.0%} waiting for data, "
            f"{format_duration(now.seconds_left)} left"
        )
        self._bar.update(
            self._task,
            description=f"Epoch {now.epoch}/{now.epochs}",
            completed=(now.epoch - 1) * now.steps + now.step,
            total=now.epochs * now.steps,
            said=said,
        )
        if self._bar.console.is_terminal:
            return
        if now.epoch_done:
            self._say(f"Epoch {now.epoch}/{now.epochs}: {said}")
        elif self._steps == _STEPS_TO_ESTIMATE:
            self._say(f"About {format_duration(now.seconds_left)} left.")

    def _say(self, sentence: str) -> None:
        """Print above the bar."""
        self._bar.console.print(sentence, markup=False, soft_wrap=True)
