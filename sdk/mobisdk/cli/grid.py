"""Exports many bundles in parallel processes, and none that is there already."""

import functools
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobisdk.bundle import Bundle, read_bundle
from mobisdk.bundle.manifest import MANIFEST_NAME
from mobisdk.cli.networks import Network, convert_network, create_untrained_network, load_trained_network
from mobisdk.errors import BundleError, ConfigError
from mobisdk.specs import ModelSpec

if TYPE_CHECKING:
    from mobiconvert import Calibration, Recipe

_TOOLS = ("torch", "executorch", "coremltools", "torchao", "scikit-learn", "numpy", "pillow")


@dataclass(frozen=True)
class ExportSettings:
    """What every bundle of one export shares."""

    output: Path
    calibration: str | None
    """Data to calibrate a lossy recipe with, and to judge it on; None is what a checkpoint was trained on."""
    calibration_images: int
    max_drop: float
    keep_anyway: bool
    min_delegated: float | None


@dataclass(frozen=True, eq=False)
class ExportJob:
    """One bundle: a network by its wanted ModelSpec fields, perhaps with trained weights, and a recipe."""

    wanted: Mapping[str, Any]
    checkpoint: Path | None
    recipe: "Recipe"
    settings: ExportSettings

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{ModelSpec(**self.wanted).name} as {self.recipe.name}"


def find_exported(output: Path) -> dict[str, Bundle]:
    """The bundles in `output` by the request that they were made of; not yet verified."""
    found = {}
    for path in sorted(output.glob(f"[!.]*/{MANIFEST_NAME}")):
        try:
            bundle = read_bundle(path.parent)
        except BundleError:
            continue  # another's; where it stands in the way, writing says so
        if request := bundle.manifest.get("request_sha256"):
            found[request] = bundle
    return found


def export_jobs(jobs: Sequence[ExportJob]) -> Iterator[tuple[ExportJob, Bundle]]:
    """Make the bundles, several at a time where there are cores for it, in the order in which they are ready.

    Raises:
        MobiError: the first that fails ends it; those that were made stay, those not begun are dropped.
    """
    processes = min(len(jobs), os.cpu_count() or 1)
    if processes <= 1:
        for job in jobs:
            yield job, make_bundle(job, hash_request(job))
        return
    from concurrent.futures import as_completed

    executor = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), use_one_thread)
    try:
        running = {executor.submit(_make_path, job, hash_request(job)): job for job in jobs}
        for done in as_completed(running):
            yield running[done], read_bundle(done.result())
    finally:
        executor.shutdown(cancel_futures=True)


def use_one_thread() -> None:
    """Several processes share this computer; pools of threads that wait for each other would cost most of it."""
    import torch

    torch.set_num_threads(1)


def _make_path(job: ExportJob, request_sha256: str) -> Path:
    return make_bundle(job, request_sha256).path


def make_bundle(job: ExportJob, request_sha256: str) -> Bundle:
    """Build the network and convert it.

    Raises:
        MobiError: the network, its data or the artefact is not what it should be.
    """
    settings = job.settings
    network = _open_network(json.dumps(dict(job.wanted), sort_keys=True), job.checkpoint, settings.calibration)
    return convert_network(
        network,
        job.recipe,
        settings.output,
        calibration=_open_calibration(network, job),
        max_drop=settings.max_drop,
        keep_anyway=settings.keep_anyway,
        min_delegated=settings.min_delegated,
        request_sha256=request_sha256,
    )


@functools.lru_cache(maxsize=1)
def _open_network(wanted: str, checkpoint: Path | None, data: str | None) -> Network:
    """The network of the last job is kept: the next recipe often takes the same one."""
    fields = json.loads(wanted)
    return (
        create_untrained_network(ModelSpec(**fields))
        if checkpoint is None
        else load_trained_network(checkpoint, fields, data)
    )


def _open_calibration(network: Network, job: ExportJob) -> "Calibration | None":
    """Images for a lossy recipe: those that were named, or those that the network was trained on.

    Raises:
        ConfigError: a trained network must be calibrated, or trained on, and nobody said with what.
    """
    if not job.recipe.is_lossy:
        return None
    source = job.settings.calibration or network.data
    if source is None:
        if job.recipe.trains or (job.recipe.calibrates and network.weights.source != "random"):
            raise ConfigError(
                f"{job.recipe.name} needs images like those that the network was trained on",
                hint="Name them with --calibration DATA",
            )
        return None
    from mobisdk.cli.calibration import load_calibration

    return load_calibration(
        source, network.input, network.labels, None if job.recipe.trains else job.settings.calibration_images
    )


def hash_request(job: ExportJob) -> str:
    """Name all that a bundle follows from: network, weights, recipe, images, settings, versions, our own code."""
    settings = asdict(job.settings)
    del settings["output"]
    request = {
        "spec": asdict(ModelSpec(**job.wanted)) if job.checkpoint is None else dict(job.wanted),
        "checkpoint": job.checkpoint and _hash_file(job.checkpoint),
        "recipe": job.recipe.name,
        "settings": settings if job.recipe.is_lossy else {"min_delegated": settings["min_delegated"]},
        "data": _hash_data(job),
        "code": _hash_code(),
    }
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _hash_data(job: ExportJob) -> str | None:
    """The content of the images, where they were named; those of a training are named by its checkpoint."""
    source = job.settings.calibration
    return _hash_dataset(source) if source and (job.recipe.is_lossy or job.checkpoint) else None


@functools.cache
def _hash_dataset(source: str) -> str:
    from mobisdk.data import open_dataset

    return open_dataset(source).sha256


def _hash_file(path: Path) -> str:
    if not path.is_file():
        return "missing"  # who loads it says so
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _hash_code() -> str:
    """Both packages' sources and the versions of what they call: another converter makes another bundle."""
    import mobiconvert
    import mobisdk

    digest = hashlib.sha256()
    for package in (mobisdk, mobiconvert):
        folder = Path(str(package.__file__)).parent
        for source in sorted(folder.rglob("*.py")):
            digest.update(f"{source.relative_to(folder)}\n".encode() + source.read_bytes())
    for tool in _TOOLS:
        digest.update(f"{tool} {importlib.metadata.version(tool)}\n".encode())
    return digest.hexdigest()
