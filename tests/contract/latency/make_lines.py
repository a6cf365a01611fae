"""Make the golden lines of contract 2, which Python, Kotlin and Swift read: good.jsonl, bad.jsonl and expected.json.

It imports nothing of the project, so that the files say what the contract says and not what one reader happens to do.
Run it as `python tests/contract/latency/make_lines.py`; a test holds the files to what it makes.
"""

import copy
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

ANDROID: dict[str, Any] = {
    "schema": "mobisdk.latency/1",
    "run_id": "00000000-0000-4000-8000-000000000001",
    "session_id": "5f0d7f4e-2f0c-4b5e-9a51-0d6c6f7c0a11",
    "process_id": "c1f9d2be-7f0e-4c1b-8d59-6e6f2f1c0b22",
    "run_index": 0,
    "started_at": "2026-03-01T09:30:00.125+02:00",
    "mode": "burst",
    "app": {"name": "MobiBench", "version": "0.1.0", "build": "42"},
    "device": {
        "platform": "android",
        "manufacturer": "Google",
        "model": "Pixel 8",
        "soc": "Tensor G3",
        "os_version": "15",
        "api_level": 35,
        "cpu_cores": 9,
        "memory_bytes": 7964561408,
        "is_emulator": False,
    },
    "bundle": {
        "bundle_id": "1f" * 32,
        "variant_id": "2e" * 32,
        "spec": {
            "arch": "mobilenet_v1",
            "alpha": 0.5,
            "resolution": 160,
            "num_classes": 1000,
            "stem_stride": 2,
            "width_divisor": 1,
        },
        "arch": "mobilenet_v1",
        "alpha": 0.5,
        "resolution": 160,
        "recipe": "xnnpack_fp32",
        "weights_source": "random",
    },
    "runtime": {
        "name": "executorch",
        "version": "1.4.1",
        "backend_requested": "xnnpack",
        "compute_units": None,
        "threads": 4,
    },
    "placement": {"source": "method_metadata", "share": {"xnnpack": 0.98, "portable": 0.02}},
    "conditions": {
        "battery_level": 0.83,
        "charging": False,
        "low_power_mode": False,
        "thermal_before": "nominal",
        "thermal_after": "fair",
        "thermal_raw": "THERMAL_STATUS_NONE",
        "battery_celsius": 31.4,
        "foreground": True,
    },
    "cache_state": "warm",
    "compile_ns": None,
    "load_ns": 11250000,
    "first_inference_ns": 4100000,
    "source_image": {"width": 640, "height": 480},
    "warmup_ns": [2200000, 1950000],
    "preprocess_ns": [610000, 598000, 602000],
    "inference_ns": [1840000, 1835500, 1861000],
    "postprocess_ns": [9000, 8800, 9100],
    "sample_at_ns": [0, 2700000, 5400000],
    "thermal": [{"at_ns": 0, "state": "nominal"}, {"at_ns": 5400000, "state": "fair"}],
    "memory": {"peak_bytes": 88080384},
    "energy": {"charge_uah": 12},
    "golden": {"passed": True, "max_abs_error": 1.2e-05, "top1_matches": True},
    "per_op": [{"name": "conv_0", "kind": "convolution", "ns": 210000}],
    "notes": None,
}

IOS = {
    "started_at": "2026-03-01T07:30:00Z",
    "mode": "sustained",
    "device": {
        "platform": "ios",
        "manufacturer": "Apple",
        "model": "iPhone16,1",
        "soc": None,
        "os_version": "18.1",
        "api_level": None,
        "cpu_cores": 6,
        "memory_bytes": 8053063680,
        "is_emulator": False,
    },
    "bundle": ANDROID["bundle"] | {"recipe": "coreml_fp16", "variant_id": "3d" * 32, "weights_source": "checkpoint"},
    "runtime": {
        "name": "coreml",
        "version": "18.1",
        "backend_requested": None,
        "compute_units": "cpuAndNeuralEngine",
        "threads": None,
    },
    "placement": {"source": "plan", "share": {"neural_engine": 1.0}},
    "energy": {"charge_uah": None},
}

NOTHING_KNOWN = {
    "conditions": dict.fromkeys(ANDROID["conditions"]),
    "compile_ns": None,
    "load_ns": None,
    "first_inference_ns": None,
    "memory": {"peak_bytes": None},
    "energy": {"charge_uah": None},
    "placement": {"source": "none", "share": {}},
}

NO_SAMPLES: dict[str, Any] = {
    "source_image": None,
    "thermal": [],
    "warmup_ns": [],
    "preprocess_ns": [],
    "inference_ns": [],
    "postprocess_ns": [],
    "sample_at_ns": [],
}

PRODUCTION = NOTHING_KNOWN | {
    "mode": "production",
    "started_at": "2026-03-01T07:00:00Z",
    "source_image": None,
    "golden": None,
    "thermal": [],
    "warmup_ns": [],
}


OTHERS = dict.fromkeys(("spec", "arch", "alpha", "resolution"))
GOLDEN_FAILED = {"passed": False, "max_abs_error": None, "top1_matches": False}


def change(path: str, value: Any) -> dict[str, Any]:
    """The Android run with one value changed."""
    document = copy.deepcopy(ANDROID)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    place[last] = value
    return document


def drop(path: str) -> dict[str, Any]:
    """The Android run without one key."""
    document = change(path, None)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    del place[last]
    return document


def good_runs() -> list[tuple[str, dict[str, Any]]]:
    """What every reader must take, by what it shows."""
    without_ops = copy.deepcopy(ANDROID)
    del without_ops["per_op"]
    return [
        ("an Android burst with every field filled", ANDROID),
        ("an iPhone, sustained; threads are Core ML's own", ANDROID | IOS),
        ("a cold start, which may have no sample", ANDROID | NO_SAMPLES | {"mode": "cold", "golden": None}),
        ("a run in production: no note, the hour alone", ANDROID | PRODUCTION),
        ("everything that may be null is null", ANDROID | NOTHING_KNOWN),
        ("a list of operators is optional", without_ops),
        ("phases that were not run are empty", ANDROID | {"preprocess_ns": [], "postprocess_ns": []}),
        ("unknown keys are allowed", change("device.fold_state", "open") | {"later": {"nested": [1, None]}}),
        ("ids in capitals, as Swift writes them", change("session_id", "5F0D7F4E-2F0C-4B5E-9A51-0D6C6F7C0A11")),
        ("a network of others has no spec", ANDROID | {"bundle": ANDROID["bundle"] | OTHERS}),
        ("texts of any script, and of a joker", change("device.model", "هاتف 8 [red]\n<b>=1+1 📱")),
        ("a golden failure is a run: the analysis keeps it apart", change("golden", GOLDEN_FAILED)),
        ("the largest duration", change("inference_ns", [10**18] * 3)),
        ("two samples at one time, as a coarse clock has them", change("sample_at_ns", [0, 5, 5])),
    ]  # fmt: skip


def bad_lines() -> list[tuple[str, str | None, bytes]]:
    """What every reader must set aside: why, the field if there is one, and the line's bytes without its end."""
    whole = dump(ANDROID)
    changed: list[tuple[str, str, Any]] = [
        ("another schema", "schema", "mobisdk.latency/2"),
        ("no samples in a burst", "inference_ns", []),
        ("a negative sample", "inference_ns[1]", [1, -1, 1]),
        ("a sample that is a text", "inference_ns[0]", ["1", 1, 1]),
        ("a sample with a fraction", "inference_ns[2]", [1, 1, 1.5]),
        ("a sample that is null", "inference_ns[2]", [1, 1, None]),
        ("a number past 64 bits", "inference_ns[0]", [10**30, 1, 1]),
        ("fewer times than samples", "sample_at_ns", [0, 1]),
        ("a monotonic clock that falls", "sample_at_ns", [0, 7, 5]),
        ("preprocessing of fewer images than samples", "preprocess_ns", [1]),
        ("postprocessing of more images than samples", "postprocess_ns", [1, 1, 1, 1]),
        ("an unknown mode", "mode", "idle"),
        ("a run id that is no UUID", "run_id", "run 1"),
        ("a clock that was never set", "started_at", "1970-01-01T00:00:00Z"),
        ("a time without its offset", "started_at", "2026-03-01T09:30:00"),
        ("a day that is none", "started_at", "2026-02-30T09:30:00Z"),
        ("a share above one", "placement.share.xnnpack", 1.5),
        ("no thread", "runtime.threads", 0),
        ("an unknown thermal state", "conditions.thermal_before", "hot"),
        ("a battery above full", "conditions.battery_level", 83),
        ("a name of 201 characters", "device.model", "x" * 201),
        ("an empty name", "device.model", ""),
        ("a hash that is too short", "bundle.variant_id", "2e"),
        ("a golden check that was not made before a burst", "golden", None),
        ("a truth that is a number", "golden.passed", 1),
        ("width of an image of no pixel", "source_image.width", 0),
    ]
    cold = {"mode": "cold"}
    return [
        ("a line cut in the middle", None, whole[: len(whole) // 2]),
        ("not JSON", None, b"Traceback (most recent call last):"),
        ("a list", None, b"[1, 2]"),
        ("nested too deeply", None, b"[" * 5000 + b"]" * 5000),
        ("bytes that are not UTF-8", None, whole.replace(b"Pixel 8", b"Pixel \xff8")),
        ("NUL bytes, as a crash of the system leaves them", None, b"\0" * 64),
        ("half a surrogate pair", "device.model", whole.replace(b"Pixel 8", b"Pixel \\ud83d")),
        ("a key twice", None, whole.replace(b'"notes":null', b'"notes":null,"notes":null')),
        ("not a number", "conditions.battery_celsius", whole.replace(b"31.4", b"NaN")),
        ("infinity", "conditions.battery_celsius", whole.replace(b"31.4", b"-Infinity")),
        ("a number past every float", "conditions.battery_celsius", whole.replace(b"31.4", b"1e999")),
        ("a number of five thousand digits", None, whole.replace(b"88080384", b"9" * 5000)),
        ("a required key is missing", "device.os_version", dump(drop("device.os_version"))),
        ("a cold start without its load", "load_ns", dump(ANDROID | cold | {"load_ns": None})),
        (
            "a cold start without its first inference",
            "first_inference_ns",
            dump(ANDROID | cold | {"first_inference_ns": None}),
        ),
        ("a note in production", "notes", dump(ANDROID | PRODUCTION | {"notes": "mine"})),
        (
            "the minute in production",
            "started_at",
            dump(ANDROID | PRODUCTION | {"started_at": "2026-03-01T07:31:00Z"}),
        ),
        *((why, field, dump(change(field.split("[")[0], value))) for why, field, value in changed),
    ]


def dump(document: dict[str, Any]) -> bytes:
    """One line of JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def make_files() -> dict[str, bytes]:
    """Every file's content by name."""
    good, bad = good_runs(), bad_lines()
    lines = [
        dump(run | {"run_id": f"00000000-0000-4000-8000-{number:012x}"})
        for number, (_, run) in enumerate(good, start=1)
    ]
    expected = {
        "good.jsonl": [{"line": number, "what": what} for number, (what, _) in enumerate(good, start=1)],
        "bad.jsonl": [
            {"line": number, "what": what, "field": field} for number, (what, field, _) in enumerate(bad, start=1)
        ],
    }
    return {
        "good.jsonl": b"".join(line + b"\n" for line in lines),
        "bad.jsonl": b"".join(line + b"\n" for _, _, line in bad),
        "expected.json": json.dumps(expected, indent=2, ensure_ascii=False).encode() + b"\n",
    }


if __name__ == "__main__":
    for name, content in make_files().items():
        (FOLDER / name).write_bytes(content)
