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


LOGCAT = """--------- beginning of main
07-14 13:14:52.096 22838 22838 I tflite  : Log parameter values verbosely: [0]
07-14 13:14:52.096 22838 22838 I tflite  : Num threads: [4]
07-14 13:14:52.096 22838 22838 I tflite  : Graph: [/data/local/tmp/first_int8.tflite]
07-14 13:14:52.190 22838 22838 I tflite  : The input model file size (MB): 3.06
07-14 13:14:52.859 22838 22838 I tflite  : count=3 first=235158 curr=200386 min=199462 max=235158 avg=211669 std=16613
07-14 13:14:56.521 22838 22838 I tflite  : Inference timings in us: Init: 92318, First inference: 235158, \
Warmup (avg): 211669, Inference (avg): 145528
07-14 13:16:26.182 23002 23002 I tflite  : Num threads: [1]
07-14 13:16:26.182 23002 23002 I tflite  : Graph: [/data/local/tmp/second_fp16.tflite]
07-14 13:16:31.521 23002 23002 I tflite  : Inference timings in us: Init: 12000, First inference: 9992420, \
Warmup (avg): 9.99242e+06, Inference (avg): 8459.69
"""
"""What logcat holds after two runs of Android's benchmark app."""
SHELL = """$ adb shell /data/local/tmp/benchmark_model --graph=/data/local/tmp/net_224.tflite --num_threads=2
INFO: Initialized TensorFlow Lite runtime.
INFO: Inference timings in us: Init: 5220, First inference: 50829, Warmup (avg): 29745.6, Inference (avg): 27044.7
INFO: Memory footprint delta from the start of the tool (MB): init=4.58984 overall=7.82031
"""


def test_each_network_of_a_log_keeps_its_own_name_and_threads(tmp_path: Path) -> None:
    first, second = take(tmp_path, "tflite", LOGCAT.replace("\\\n", ""))[2]
    assert (first.bundle.arch, first.runtime.threads, first.inference_ns.tolist()) == ("first_int8", 4, [145_528_000])
    assert (second.bundle.arch, second.runtime.threads) == ("second_fp16", 1)
    assert (second.inference_ns.tolist(), second.warmup_ns.tolist()) == ([8_459_690], [9_992_420_000])
    (tmp_path / "latency.jsonl").unlink()
    (typed,) = take(tmp_path, "tflite", SHELL)[2]
    assert (typed.bundle.arch, typed.runtime.threads, typed.load_ns) == ("net_224", 2, 5_220_000)


def test_profile_tells_where_the_layers_ran_and_the_largest_peak(tmp_path: Path) -> None:
    profile = {
        "execution_summary": {
            "estimated_inference_time": 3652,
            "first_load_time": 1_374_293,
            "warm_load_time": 277_823,
            "all_inference_times": [3652, 4000, 5000],
            "inference_memory_increase_range": [0, 2_658_496],
            "inference_memory_peak_range": [2_654_208, 39_406_752],
            "warm_load_memory_peak_range": [118_784, 43_225_712],
        },
        "execution_detail": [
            {"name": "a", "type": "Conv2d", "compute_unit": "NPU", "execution_time": 300, "execution_cycles": 1},
            {"name": "b", "type": "Softmax", "compute_unit": "CPU", "execution_time": 100},
        ],
    }
    (run,) = take(tmp_path, "aihub", json.dumps(profile))[2]
    assert (run.placement.source, run.placement.share) == ("profiler", {"npu": 0.75, "cpu": 0.25})
    assert (run.memory.peak_bytes, run.load_ns) == (39_406_752, 277_823_000)
    (tmp_path / "latency.jsonl").unlink()
    untimed = {**profile, "execution_detail": [{"name": str(n), "compute_unit": "GPU"} for n in range(3)]}
    (run,) = take(tmp_path, "aihub", json.dumps(untimed))[2]
    assert run.placement.share == {"gpu": 1.0}


def test_what_a_macrobenchmark_or_a_failed_load_leaves_is_no_inference(tmp_path: Path) -> None:
    startup = {
        "name": "startup", "params": {}, "className": "org.example.StartupBenchmark", "totalRunTimeNs": 15_641_048_383,
        "metrics": {"timeToInitialDisplayMs": {"minimum": 21.4, "maximum": 197.7, "median": 46.8, "runs": [197.7]}},
        "sampledMetrics": {"frameDurationCpuMs": {"P50": 4.1, "runs": [[4.1, 4.2]]}},
        "warmupIterations": 0, "repeatIterations": 2, "thermalThrottleSleepSeconds": 0,
    }  # fmt: skip
    context = dict(ANDROIDX["context"], cpuLocked=False, sustainedPerformanceModeEnabled=False)
    emulated = context | {
        "build": context["build"] | {
            "device": "emulator64_arm64", "model": "sdk_gphone64_arm64", "version": {"codename": "REL", "sdk": 31},
            "fingerprint": "google/sdk_gphone64_arm64/emulator64_arm64:12/SE1A/1:user/release-keys",
        }
    }  # fmt: skip
    document = {"context": emulated, "benchmarks": [startup, *ANDROIDX["benchmarks"]]}
    (run,) = take(tmp_path, "androidx", json.dumps(document))[2]
    assert (run.device.is_emulator, run.inference_ns.size) == (True, 3)
    (tmp_path / "latency.jsonl").unlink()
    failed = [
        {**EXECUTORCH[0], "benchmarkModel": {"name": "ic4", "backend": "qnn", "quantization": "q8"}, "metric": metric}
        for metric in ("model_load_time(ms)", "load_status")
    ]
    more = {**EXECUTORCH[1], "metric": "trimmean_inference_latency(ms)", "actualValue": 10.1}
    (run,) = take(tmp_path, "executorch", json.dumps([*failed, *EXECUTORCH, more]))[2]
    assert (run.bundle.arch, run.inference_ns.tolist()) == ("mv2", [10_800_000])  # the mean of all, not of a part


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
