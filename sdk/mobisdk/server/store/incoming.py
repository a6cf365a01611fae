"""One line of an upload, read, checked and ready to be a row."""

import dataclasses
import functools
import hashlib
import json
from typing import Any, Final

import numpy as np

from mobisdk.latency.analysis import reason_to_keep_apart
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import Device, Durations, LatencyRun, RuntimeInfo

_FEWEST_IN_TENTH: Final = 5


@dataclasses.dataclass(frozen=True)
class Group:
    """What is never merged: one device, one runtime, one variant; a row of `groups`."""

    group_id: str
    device_id: str
    variant_id: str
    document: str


@dataclasses.dataclass(frozen=True)
class IncomingRun:
    """`number` is its line in the request, from 1; `line` its text as it was sent."""

    number: int
    line: str
    run: LatencyRun
    group: Group

    @property
    def run_id(self) -> str:
        """Lower case: the same UUID may be spelled either way."""
        return self.run.run_id.lower()

    def row(self, token_id: str, received_at: int) -> dict[str, Any]:
        """Return the values of a row of `runs`."""
        return {
            "run_id": self.run_id,
            "group_id": self.group.group_id,
            "bundle_id": self.run.bundle.bundle_id,
            "mode": self.run.mode,
            "received_at": received_at,
            "token_id": token_id,
            "kept_apart": reason_to_keep_apart(self.run),
            "samples": self.run.inference_ns.size,
            **describe_samples(self.run),
        }

    @property
    def inference_ns(self) -> bytes:
        """The samples as `contents` keeps them."""
        return self.run.inference_ns.astype("<i8").tobytes()


def read_line(number: int, line: bytes) -> IncomingRun:
    """Read one line of an upload.

    Raises:
        DataError: it is no run; the text names the field.
    """
    run = parse_run(line)
    return IncomingRun(number, line.decode(), run, _group_of(run))


def describe_samples(run: LatencyRun) -> dict[str, Any]:
    """Return what overviews need of a run's samples, so that they need not read them."""
    is_cold = run.mode == "cold"
    return {
        "median_ns": None if is_cold else round(_median(run.inference_ns)),
        "load_ns": (run.compile_ns or 0) + (run.load_ns or 0) if is_cold else None,
        "first_inference_ns": run.first_inference_ns if is_cold else None,
        "slowdown": _slowdown(run),
        "thermal_after": run.conditions.thermal_after,
    }


def _slowdown(run: LatencyRun) -> float | None:
    tenth = run.inference_ns.size // 10
    if tenth < _FEWEST_IN_TENTH:
        return None
    first = _median(run.inference_ns[:tenth])
    return _median(run.inference_ns[-tenth:]) / first if first else None


def _median(samples: Durations) -> float:
    """As `numpy.median`, which takes ten times as long for a hundred samples: it was a third of the server's work."""
    middle = [(samples.size - 1) // 2, samples.size // 2]
    low, high = np.partition(samples, middle)[middle]
    return (int(low) + int(high)) / 2


def samples_of(inference_ns: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Read the column `inference_ns`."""
    return np.frombuffer(inference_ns, "<i8")


def _group_of(run: LatencyRun) -> Group:
    device = dataclasses.replace(run.device, memory_bytes=None)  # a new kernel may leave a little more or less
    bundle = run.bundle
    return _name_group(
        device, run.runtime, (bundle.variant_id, bundle.arch, bundle.alpha, bundle.resolution, bundle.recipe)
    )


@functools.lru_cache(maxsize=4096)
def _name_group(device: Device, runtime: RuntimeInfo, variant: tuple[str | float | None, ...]) -> Group:
    names = ("variant_id", "arch", "alpha", "resolution", "recipe")
    device_document = _canonical(dataclasses.asdict(device))
    runtime_document = _canonical(dataclasses.asdict(runtime))
    variant_document = _canonical(dict(zip(names, variant, strict=True)))
    variant_id = str(variant[0])
    key = f"{device_document}\n{runtime_document}\n{variant_id}"
    document = f'{{"device":{device_document},"runtime":{runtime_document},"bundle":{variant_document}}}'
    return Group(_sha256(key), _sha256(device_document), variant_id, document)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
