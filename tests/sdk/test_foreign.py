import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mobisdk.cli.app import app
from mobisdk.latency.record import LatencyRun
from mobisdk.latency.store import read_logs

ANDROIDX: dict[str, Any] = {
    "context": {
        "build": {
            "brand": "google",
            "device": "shiba",
            "fingerprint": "google/shiba",
            "model": "Pixel 8",
            "version": {"sdk": 34},
        },
        "cpuCoreCount": 9,
        "cpuMaxFreqHz": 2_910_000_000,
        "memTotalBytes": 7_964_561_408,
    },
    "benchmarks": [
        {
            "name": "forward",
            "params": {},
            "className": "org.example.ClassifierBenchmark",
            "totalRunTimeNs": 1,
            "metrics": {
                "timeNs": {
                    "minimum": 1.0,
                    "maximum": 3.0,
                    "median": 2.0,
                    "runs": [2_000_000.4, 2_100_000.0, 1_900_000.0],
                }
            },
            "warmupIterations": 100,
            "repeatIterations": 10,
            "thermalThrottleSleepSeconds": 0,
        }
    ],
}
EXECUTORCH = [
    {
        "benchmarkModel": {"name": "mv2", "backend": "xnnpack", "quantization": "q8"},
        "metric": metric,
        "actualValue": value,
        "targetValue": 0,
        "deviceInfo": {
            "device": "SM-S901U1",
            "arch": "taro",
            "os": "Android 14",
            "totalMem": 7_000_000_000,
            "availMem": 1,
        },
    }
    for metric, value in (("model_load_time(ms)", 14.4), ("avg_inference_latency(ms)", 10.8))
]
AIHUB = {
    "execution_summary": {
        "estimated_inference_time": 594,
        "all_inference_times": [594, 601, 640],
        "warm_load_time": 90_000,
        "estimated_inference_peak_memory": 12_345_678,
    },
    "execution_detail": [{"name": "conv", "type": "Conv2D", "compute_unit": "NPU", "execution_time": 12}],
}
TFLITE = """STARTING!
Num threads: [4]
Graph: [/data/local/tmp/mobilenet_v1.tflite]
count=50 first=15000 curr=14000 min=13900 max=15500 avg=14575.2 std=300
Inference timings in us: Init: 5685, First inference: 18535, Warmup (avg): 14462.3, Inference (avg): 14575.2
"""
CSV = """run,latency_ms,arch,alpha,resolution
1,2.5,mobilenet_v1,0.5,128
1,2.6,mobilenet_v1,0.5,128
2,2.4,mobilenet_v1,0.5,128
"""
FILES = {
    "androidx": json.dumps(ANDROIDX),
    "executorch": json.dumps(EXECUTORCH),
    "aihub": json.dumps(AIHUB),
    "tflite": TFLITE,
    "csv": CSV,
}


def take(folder: Path, tool: str, content: str, *arguments: object) -> tuple[int, str, tuple[LatencyRun, ...]]:
    source, log = folder / "result.txt", folder / "latency.jsonl"
    source.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(
        app, ["logs", "import", str(source), "--from", tool, "--log", str(log), *map(str, arguments)]
    )
    return result.exit_code, result.stderr, read_logs([log]).runs if log.exists() else ()


@pytest.mark.parametrize(
    ("tool", "samples"),
    [
        ("androidx", [[2_000_000, 2_100_000, 1_900_000]]),
        ("executorch", [[10_800_000]]),
        ("aihub", [[594_000, 601_000, 640_000]]),
        ("tflite", [[14_575_200]]),
        ("csv", [[2_500_000, 2_600_000], [2_400_000]]),
    ],
)
def test_samples_come_over_in_nanoseconds(tmp_path: Path, tool: str, samples: list[list[int]]) -> None:
    status, err, runs = take(tmp_path, tool, FILES[tool])
    assert status == 0
    assert f"{len(samples)} run{'s' * (len(samples) > 1)} of {tool} went into" in err
    assert [run.inference_ns.tolist() for run in runs] == samples
    assert all(run.golden is None and run.mode == "production" for run in runs)


def test_what_the_files_tell_comes_over_and_nothing_else(tmp_path: Path) -> None:
    (pixel,) = take(tmp_path / "", "androidx", FILES["androidx"])[2]
    assert (pixel.device.model, pixel.device.api_level, pixel.device.cpu_cores) == ("Pixel 8", 34, 9)
    assert pixel.bundle.arch == "org.example.ClassifierBenchmark.forward"
    (tmp_path / "latency.jsonl").unlink()
    (galaxy,) = take(tmp_path, "executorch", FILES["executorch"])[2]
    assert (galaxy.device.model, galaxy.load_ns, galaxy.bundle.recipe) == ("SM-S901U1", 14_400_000, "xnnpack_q8")
    (tmp_path / "latency.jsonl").unlink()
    (hub,) = take(tmp_path, "aihub", FILES["aihub"], "--device", "Galaxy S24", "--recipe", "qnn_int8")[2]
    assert (hub.device.model, hub.load_ns, hub.memory.peak_bytes) == ("Galaxy S24", 90_000_000, 12_345_678)
    assert [(op.name, op.ns) for op in hub.per_op] == [("conv", 12_000)]
    (tmp_path / "latency.jsonl").unlink()
    (lite,) = take(tmp_path, "tflite", FILES["tflite"], "--arch", "mobilenet_v1", "--alpha", 1, "--resolution", 224)[2]
    assert (lite.runtime.threads, lite.first_inference_ns, lite.load_ns) == (4, 18_535_000, 5_685_000)
    assert lite.bundle.spec == {"arch": "mobilenet_v1", "alpha": 1.0, "resolution": 224}
    assert (lite.conditions.battery_level, lite.conditions.thermal_before, lite.energy.charge_uah) == (None, None, None)


def test_file_that_is_read_twice_is_there_once(tmp_path: Path) -> None:
    take(tmp_path, "aihub", FILES["aihub"])
    assert len(take(tmp_path, "aihub", FILES["aihub"])[2]) == 1


@pytest.mark.parametrize(
    ("tool", "content", "reason"),
    [
        ("androidx", "{}", "is no result of androidx"),
        ("androidx", "no JSON", "is no result of androidx"),
        ("androidx", json.dumps(ANDROIDX | {"benchmarks": []}), "holds no measurement"),
        ("executorch", json.dumps(EXECUTORCH[:1]), "holds no measurement"),
        ("executorch", "[1]", "is no result of executorch"),
        ("aihub", json.dumps({"execution_summary": {"all_inference_times": [-1]}}), "-1000.0 is no time"),
        ("aihub", json.dumps({"execution_summary": {"all_inference_times": ["x"]}}), "is no result of aihub"),
        ("tflite", "Error: no such file", "holds no measurement"),
        ("csv", "time\n1\n", "must have one column of times"),
        ("csv", "latency_ms,latency_ns\n1,1\n", "must have one column of times"),
        ("csv", "latency_ms\nfast\n", "latency_ms in line 2"),
        ("csv", "latency_ms\n", "has no row below its header"),
        ("csv", "latency_ms\n-1\n", "is no time, got '-1'"),
    ],
)
def test_file_of_something_else_is_an_error_and_writes_nothing(
    tmp_path: Path, tool: str, content: str, reason: str
) -> None:
    status, err, runs = take(tmp_path, tool, content)
    assert (status, runs) == (1, ())
    assert reason in err
    assert err.count("\n") == 1
    assert not (tmp_path / "latency.jsonl").exists()
