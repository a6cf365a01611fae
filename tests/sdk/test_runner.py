"""The benchmark runner over a fake classifier and a fake clock: every figure is worked out by hand."""

import dataclasses
import gc
import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mobisdk.bundle import Bundle, write_bundle
from mobisdk.devices import cold, runner
from mobisdk.devices.bench_config import LARGEST_SAMPLES, BenchConfig, interleave
from mobisdk.devices.golden import check_golden
from mobisdk.devices.manifest_facts import describe_placement, describe_runtime
from mobisdk.devices.runner import BenchmarkRunner
from mobisdk.devices.sampling import is_warm, take_samples
from mobisdk.devices.top_k import top_k
from mobisdk.errors import BundleError, ConfigError, DeviceError, ParityError, UnsupportedError
from mobisdk.latency import log as latency_log
from mobisdk.latency.log import LONGEST_LINE_BYTES, append_run, parse_run, to_json_line
from mobisdk.latency.record import LatencyRun, durations
from mobisdk.preprocess import preprocess
from mobisdk.specs import InputSpec

MS = 10**6
SIZE = 32
SPEC = InputSpec(resize=36, crop=SIZE)
LOGITS = np.array([0.5, 3.0, -1.0], dtype=np.float32)
TOLERANCE = 0.01
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)


class FakeClock:
    """Nanoseconds that pass only when something spends them."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class FakeClassifier:
    """Spends a given time on each call, and writes down what it was asked."""

    def __init__(
        self,
        clock: FakeClock,
        *,
        forward_ns: Iterable[int] = itertools.repeat(5 * MS),
        logits: NDArray[np.float32] = LOGITS,
    ) -> None:
        self.clock = clock
        self.forward_ns = iter(forward_ns)
        self.logits = logits
        self.calls: list[str] = []
        self.collector_was_on: list[bool] = []

    def load(self) -> None:
        self.calls.append("load")
        self.clock.now += 70 * MS

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        assert image.shape == (SIZE, SIZE, 3)
        self.clock.now += 2 * MS
        return image

    def forward(self, prepared: Any) -> NDArray[np.float32]:  # noqa: ARG002
        self.calls.append("forward")
        self.collector_was_on.append(gc.isenabled())
        self.clock.now += next(self.forward_ns)
        return self.logits

    def close(self) -> None:
        self.calls.append("close")


class FakeDevice:
    """Opens a new fake classifier each time, and keeps the order of bundles."""

    def __init__(self, make: Callable[[Bundle, FakeClock], FakeClassifier] | None = None) -> None:
        self.clock = FakeClock()
        self.opened: list[tuple[str, FakeClassifier]] = []
        self.make = make or (lambda _, clock: FakeClassifier(clock))

    def open(self, bundle: Bundle) -> FakeClassifier:
        classifier = self.make(bundle, self.clock)
        self.opened.append((bundle.manifest["model"]["weights"]["detail"], classifier))
        return classifier

    def runner(self, config: BenchConfig, **fields: Any) -> BenchmarkRunner:
        return BenchmarkRunner(self.open, config, clock=self.clock, **fields)


def make_bundle(parent: Path, name: str = "A", **target: Any) -> Bundle:
    digest = hashlib.sha256(name.encode()).hexdigest()
    content = parent / f"content-{name}"
    content.mkdir(parents=True)
    (content / "model.pte").write_bytes(b"a network")
    (content / "labels.txt").write_text("cat\ndog\nbird\n")
    Image.fromarray(PIXELS).save(content / "golden_image.png")
    (content / "golden_input.u8").write_bytes(preprocess(PIXELS, SPEC).tobytes())
    (content / "golden_output.f32").write_bytes(LOGITS.astype("<f4").tobytes())
    manifest = {
        "created_at": "2026-01-02T03:04:05Z",
        "sdk_version": "0.1.0",
        "tool_versions": {"torch": "2.13.0", "executorch": "1.4.1", "coremltools": None},
        "variant_id": digest,
        "model": {
            "spec": {"arch": "mobilenet_v1", "alpha": 0.25},
            "arch": "mobilenet_v1",
            "alpha": 0.25,
            "resolution": SIZE,
            "num_classes": 3,
            "params": 10,
            "macs": 20,
            "weights": {"source": "random", "detail": name, "sha256": digest},
            "compression": [],
        },
        "target": {
            "platform": "android",
            "runtime": "executorch",
            "recipe": "xnnpack_fp32",
            "backend": "xnnpack",
            "min_os": "23",
            "compute_units": None,
        }
        | target,
        "input": {
            "name": "image",
            "kind": "tensor",
            "shape": [1, 3, SIZE, SIZE],
            "dtype": "float32",
            "color": "RGB",
            "preprocess": {
                "resize": SPEC.resize,
                "crop": SIZE,
                "interpolation": "bilinear",
                "scale": 1 / 255,
                "mean": [0.5, 0.5, 0.5],
                "std": [0.5, 0.5, 0.5],
                "baked_in": True,
            },
        },
        "output": {"name": "logits", "shape": [1, 3], "dtype": "float32", "activation": "logits"},
        "delegation": {"ops_total": 3, "ops_delegated": 2, "macs_delegated": 15, "fallback": []},
        "parity": {
            "images": 20,
            "image_set_sha256": digest,
            "top1_agreement": 1.0,
            "max_abs_error": 1e-7,
            "sqnr_db": 120.0,
            "tolerance": 1e-4,
        },
        "golden": {
            "image": "golden_image.png",
            "input": "golden_input.u8",
            "output": "golden_output.f32",
            "tolerance": TOLERANCE,
        },
    }
    return write_bundle(content, manifest, parent)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path)


def one_burst(**fields: Any) -> BenchConfig:
    return BenchConfig(**({"threads": 2, "runs": 1, "samples": 4, "cold_starts": 0} | fields))


def test_run_times_each_phase_apart(bundle: Bundle) -> None:
    device = FakeDevice()

    (run,) = device.runner(one_burst()).run([bundle])

    assert (run.load_ns, run.first_inference_ns) == (70 * MS, 5 * MS)
    assert run.preprocess_ns.tolist() == [2 * MS] * 4
    assert run.inference_ns.tolist() == [5 * MS] * 4
    assert run.postprocess_ns.tolist() == [0] * 4
    assert run.sample_at_ns.tolist() == [0, 7 * MS, 14 * MS, 21 * MS]
    assert run.warmup_ns.tolist() == [5 * MS] * 10
    assert run.golden is not None
    assert (run.golden.passed, run.golden.max_abs_error, run.golden.top1_matches) == (True, 0.0, True)
    assert (run.source_image.width, run.source_image.height) == (48, 40)  # type: ignore[union-attr]
    assert run.runtime.threads == 2
    assert run.thermal == ()


def test_run_meets_the_contract_and_comes_back_from_the_log(bundle: Bundle, tmp_path: Path) -> None:
    log = tmp_path / "latency.jsonl"
    schema = json.loads(Path(latency_log.__file__).with_name("latency_run.schema.json").read_text())

    for run in FakeDevice().runner(one_burst(runs=2)).run([bundle]):
        append_run(log, run)

    lines = log.read_text().splitlines()
    for number, line in enumerate(lines):
        jsonschema.validate(json.loads(line), schema)
        assert parse_run(line).run_index == number
    assert len({parse_run(line).run_id for line in lines}) == 2
    assert len({parse_run(line).session_id for line in lines}) == 1


def test_every_run_loads_anew_and_closes(bundle: Bundle) -> None:
    device = FakeDevice()

    assert len(list(device.runner(one_burst(runs=3)).run([bundle]))) == 3

    assert len(device.opened) == 4  # the golden check before everything, then three runs
    for _, classifier in device.opened:
        assert (classifier.calls[0], classifier.calls[-1]) == ("load", "close")


def test_garbage_collector_rests_only_in_the_timed_section(bundle: Bundle) -> None:
    device = FakeDevice()

    list(device.runner(one_burst()).run([bundle]))

    check, run = (classifier.collector_was_on for _, classifier in device.opened)
    assert check == [True]
    assert run == [True] + [False] * 14
    assert gc.isenabled()


def test_bundles_take_turns_and_each_round_begins_with_the_next(tmp_path: Path) -> None:
    bundles = [make_bundle(tmp_path / name, name) for name in "ABC"]
    device = FakeDevice()

    runs = list(device.runner(one_burst(runs=3)).run(bundles))

    assert "".join(name for name, _ in device.opened) == "ABC" + "ABC" + "BCA" + "CAB"
    assert [run.run_index for run in runs] == list(range(9))
    assert {run.memory.peak_bytes for run in runs} == {None}  # they shared the process


def test_interleave_gives_each_item_every_place_equally_often() -> None:
    order = list(interleave("ABCD", 8))

    for place in range(4):
        assert sorted(order[place::4]) == list("AABBCCDD")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process's own peak")
def test_peak_memory_is_told_for_a_bundle_alone(bundle: Bundle) -> None:
    (run,) = FakeDevice().runner(one_burst()).run([bundle])

    assert run.memory.peak_bytes is not None
    assert run.memory.peak_bytes > 10 * 2**20


def test_wrong_golden_of_any_bundle_stops_before_anything_is_timed(tmp_path: Path) -> None:
    bundles = [make_bundle(tmp_path / name, name) for name in "AB"]
    wrong = LOGITS + np.array([0, -4, 0], dtype=np.float32)

    def make(bundle: Bundle, clock: FakeClock) -> FakeClassifier:
        return FakeClassifier(clock, logits=wrong if bundle is bundles[1] else LOGITS)

    device = FakeDevice(make)
    with pytest.raises(
        ParityError, match=r"another top-1 class.*got 4\.0; allowed: at most 0\.01.*Nothing was measure"
    ):
        next(device.runner(one_burst()).run(bundles))

    assert [classifier.calls for _, classifier in device.opened] == [["load", "forward", "close"]] * 2


def test_golden_passes_up_to_the_manifest_tolerance(bundle: Bundle) -> None:
    near, far = LOGITS.copy(), LOGITS.copy()
    near[0] += 0.009
    far[0] += 0.011

    assert check_golden(bundle, near).passed
    assert not check_golden(bundle, far).passed
    assert check_golden(bundle, far).top1_matches


def test_golden_of_no_number_fails_with_a_null_error(bundle: Bundle) -> None:
    check = check_golden(bundle, np.full(3, np.nan, dtype=np.float32))

    assert (check.passed, check.max_abs_error) == (False, None)


def test_golden_of_another_shape_is_refused(bundle: Bundle) -> None:
    with pytest.raises(ParityError, match=r"another shape.*\(1, 3\)"):
        check_golden(bundle, LOGITS[None])


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([10] * 9, False),  # two windows are needed
        ([10] * 10, True),
        ([50, 40, 30, 20, 15, 12, 11, 10, 10, 10], False),  # medians 30, 10
        ([50, 40, 30, 20, 15, 14, 13, 12, 10, 10, 10, 10, 10], False),  # medians 14, 10
        ([50, 40, 30, 20, 15, 14, 13, 12, 10, 10, 10, 10, 10, 10, 10, 10], True),  # medians 10, 10
        ([10, 10, 10, 10, 10, 90, 10, 10, 10, 10], True),  # one interruption does not move a median
        ([1000] * 5 + [985] * 5, True),  # 1.5 % is no fall
        ([1000] * 5 + [975] * 5, False),
    ],
)
def test_warm_when_medians_stop_falling(times: list[int], expected: bool) -> None:
    assert is_warm(times) is expected


def test_warmup_lasts_until_times_stop_falling_and_keeps_all_of_them(bundle: Bundle) -> None:
    falling = [ms * MS for ms in (40, 30, 20, 15, 12, 10, 9, 8, 7, 6)]

    def make(_: Bundle, clock: FakeClock) -> FakeClassifier:
        # The first inference is the golden image's, and no part of the warm-up.
        return FakeClassifier(clock, forward_ns=itertools.chain([99 * MS], falling, itertools.repeat(6 * MS)))

    (run,) = FakeDevice(make).runner(one_burst()).run([bundle])

    # After 16 times the windows' medians are 7 (9 8 7 6 6) and 6: still falling. After 17 they are 6 (8 7 6 6 6) and 6.
    assert run.first_inference_ns == 99 * MS
    assert run.warmup_ns.tolist() == [*falling, *[6 * MS] * 7]
    assert set(run.inference_ns.tolist()) == {6 * MS}
    assert "not warm" not in (run.notes or "")


def test_warmup_that_never_settles_is_ended_and_noted(bundle: Bundle) -> None:
    def make(_: Bundle, clock: FakeClock) -> FakeClassifier:
        return FakeClassifier(clock, forward_ns=(int(10**9 * 0.95**n) for n in itertools.count()))

    (run,) = FakeDevice(make).runner(one_burst()).run([bundle])

    assert len(run.warmup_ns) == 15  # 0.95 + 0.95² + … passes 10 s with the 15th, preparing included
    assert "not warm yet after 15 inferences" in (run.notes or "")


def test_warmup_of_a_quick_network_is_bounded_by_count(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LARGEST_WARMUP", 12)

    def make(_: Bundle, clock: FakeClock) -> FakeClassifier:
        return FakeClassifier(clock, forward_ns=(int(MS * 0.95**n) for n in itertools.count()))

    (run,) = FakeDevice(make).runner(one_burst()).run([bundle])

    assert len(run.warmup_ns) == 12


def test_sustained_runs_until_its_time_is_over(bundle: Bundle) -> None:
    told: list[float] = []

    runs = FakeDevice().runner(one_burst(mode="sustained", seconds=2.5), on_progress=told.append).run([bundle])
    (run,) = runs

    assert run.mode == "sustained"
    assert len(run.inference_ns) == 358  # 2.5 s / 7 ms = 357.1
    assert run.sample_at_ns[-1] == 357 * 7 * MS
    assert told == [pytest.approx(1.001 / 2.5), pytest.approx(2.002 / 2.5), 1]


def test_sustained_run_ends_where_a_line_would_be_too_long(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LARGEST_SAMPLES", 6)

    (run,) = FakeDevice().runner(one_burst(mode="sustained", seconds=60)).run([bundle])

    assert len(run.inference_ns) == 6
    assert "ended after 6 samples" in (run.notes or "")


def test_line_of_the_most_samples_fits_the_log(bundle: Bundle) -> None:
    (run,) = FakeDevice().runner(one_burst()).run([bundle])
    hour_ns = 3600 * 10**9
    times = durations(np.full(LARGEST_SAMPLES, hour_ns // LARGEST_SAMPLES))

    longest = dataclasses.replace(
        run,
        preprocess_ns=times,
        inference_ns=times,
        postprocess_ns=times,
        sample_at_ns=durations(np.full(LARGEST_SAMPLES, hour_ns)),
    )

    assert len(to_json_line(longest)) < LONGEST_LINE_BYTES


def test_cancelling_leaves_only_whole_runs(bundle: Bundle) -> None:
    device = FakeDevice()

    # 4 samples a run after 10 of warming up, and one question before each run: the second run's third sample is no. 28.
    questions = itertools.count(1)
    runs = list(device.runner(one_burst(runs=5), is_cancelled=lambda: next(questions) >= 29).run([bundle]))

    assert [len(run.inference_ns) for run in runs] == [4]
    assert device.opened[-1][1].calls[-1] == "close"
    assert len(device.opened) == 3
    assert gc.isenabled()


def test_cancelled_before_it_began_gives_nothing(bundle: Bundle) -> None:
    assert list(FakeDevice().runner(one_burst(), is_cancelled=lambda: True).run([bundle])) == []


def test_ctrl_c_in_a_forward_closes_the_classifier(bundle: Bundle) -> None:
    def interrupted() -> Iterator[int]:
        yield 5 * MS
        raise KeyboardInterrupt

    def make(_: Bundle, clock: FakeClock) -> FakeClassifier:
        return FakeClassifier(clock, forward_ns=interrupted())

    device = FakeDevice(make)
    with pytest.raises(KeyboardInterrupt):
        list(device.runner(one_burst()).run([bundle]))

    assert device.opened[-1][1].calls[-1] == "close"
    assert gc.isenabled()


def test_run_cold_is_a_load_and_one_inference(bundle: Bundle) -> None:
    run = FakeDevice().runner(one_burst()).run_cold(bundle)

    assert (run.mode, run.load_ns, run.first_inference_ns) == ("cold", 70 * MS, 5 * MS)
    assert len(run.warmup_ns) == len(run.inference_ns) == 0
    assert parse_run(to_json_line(run)).bundle.bundle_id == bundle.manifest["bundle_id"]


def test_run_cold_refuses_a_damaged_artefact(bundle: Bundle) -> None:
    (bundle.path / "model.pte").write_bytes(b"b network")

    device = FakeDevice()
    with pytest.raises(BundleError, match=r"model\.pte is damaged"):
        device.runner(one_burst()).run_cold(bundle)
    assert device.opened == []


def test_cold_starts_come_first_and_join_the_session(tmp_path: Path) -> None:
    bundles = [make_bundle(tmp_path / name, name) for name in "AB"]
    started: list[tuple[str, int]] = []

    def start_cold(bundle: Bundle, threads: int) -> LatencyRun:
        started.append((bundle.manifest["model"]["weights"]["detail"], threads))
        return FakeDevice().runner(one_burst()).run_cold(bundle)

    bench = FakeDevice().runner(one_burst(cold_starts=2), start_cold=start_cold)
    runs = list(bench.run(bundles))

    assert started == [("A", 2), ("B", 2), ("B", 2), ("A", 2)]
    assert [run.mode for run in runs] == ["cold"] * 4 + ["burst"] * 2
    assert [run.run_index for run in runs] == list(range(6))
    assert len({run.session_id for run in runs}) == 1
    assert bench.count_runs(bundles) == 6


CHILD = """
import pathlib, sys
arguments = sys.argv[1:]
assert arguments[0] == "bench" and arguments[-3:-1] == ["--json", "--"], arguments
options = dict(zip(arguments[1:-3:2], arguments[2:-3:2]))
assert options["--mode"] == "cold" and options["--threads"] == "2", arguments
"""


def child(tmp_path: Path, code: str) -> tuple[str, str]:
    script = tmp_path / "child.py"
    script.write_text(CHILD + code)
    return (sys.executable, str(script))


def test_cold_start_reads_the_childs_run(bundle: Bundle, tmp_path: Path) -> None:
    expected = to_json_line(FakeDevice().runner(one_burst()).run_cold(bundle))
    program = child(tmp_path, f"pathlib.Path(options['--log']).write_text({expected + chr(10)!r})")

    assert to_json_line(cold.start_cold(bundle, 2, program)) == expected


def test_cold_start_that_fails_tells_the_childs_last_words(bundle: Bundle, tmp_path: Path) -> None:
    program = child(tmp_path, "print('noise\\nError: no memory left', file=sys.stderr); sys.exit(3)")

    with pytest.raises(DeviceError, match=r"failed, got 'exit status 3'\. no memory left$"):
        cold.start_cold(bundle, 2, program)


def test_cold_start_that_is_killed_silently_says_so(bundle: Bundle, tmp_path: Path) -> None:
    program = child(tmp_path, "import os; os.kill(os.getpid(), 9)")

    with pytest.raises(DeviceError, match=r"exit status -9'\. It said nothing"):
        cold.start_cold(bundle, 2, program)


def test_cold_start_that_hangs_is_ended(bundle: Bundle, tmp_path: Path) -> None:
    program = child(tmp_path, "import threading; threading.Event().wait()")

    with pytest.raises(DeviceError, match="did not end; allowed: 1 s"):
        cold.start_cold(bundle, 2, program, timeout_s=1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threads": 0}, "threads must be a whole number, got 0"),
        ({"runs": 0}, "runs must be a whole number, got 0"),
        ({"samples": 0}, "samples must be a whole number, got 0"),
        ({"samples": -5}, "samples must be a whole number, got -5"),
        ({"samples": LARGEST_SAMPLES + 1}, "allowed: 1 to 300000"),
        ({"samples": 2.5}, "samples must be a whole number, got 2.5"),
        ({"runs": True}, "runs must be a whole number, got True"),
        ({"cold_starts": -1}, "cold_starts must be a whole number, got -1"),
        ({"seconds": 0}, "seconds must be a number, got 0"),
        ({"seconds": float("nan")}, "seconds must be a number, got nan"),
        ({"seconds": 1e9}, "0 < seconds ≤ 3600"),
        ({"mode": "cold"}, "mode is unknown, got 'cold'"),
    ],
)
def test_config_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        one_burst(**fields)


def test_runtime_is_the_one_installed_here(bundle: Bundle, tmp_path: Path) -> None:
    assert describe_runtime(bundle, 2).name == "executorch"
    with pytest.raises(UnsupportedError, match="no_such_runtime"):
        describe_runtime(make_bundle(tmp_path / "other", runtime="no_such_runtime"), 2)


def test_placement_splits_the_multiply_adds(bundle: Bundle) -> None:
    placement = describe_placement(bundle)

    assert placement.source == "method_metadata"
    assert placement.share == {"xnnpack": 0.75, "portable": 0.25}  # 15 of 20


def test_top_k_is_softmax_and_order() -> None:
    logits = np.log(np.array([0.1, 0.4, 0.2, 0.3], dtype=np.float32)) + 500

    top = top_k(logits, 3)

    assert [index for index, _ in top] == [1, 3, 2]
    assert [share for _, share in top] == pytest.approx([0.4, 0.3, 0.2], abs=1e-4)
    assert [index for index, _ in top_k(np.zeros(4, dtype=np.float32), 2)] == [0, 1]
    assert [index for index, _ in top_k(logits)] == [1, 3, 2, 0]


def test_runner_adds_little_beside_the_calls() -> None:
    """The apps' bound is 10 to 20 µs a sample; the median is not moved by what else runs on this machine."""
    import time

    classifier = FakeClassifier(FakeClock())
    samples = take_samples(
        classifier, PIXELS, SPEC, lambda samples, _: len(samples.inference_ns) >= 300, time.perf_counter_ns
    )

    total = np.diff(samples.sample_at_ns)
    calls = np.sum([samples.preprocess_ns, samples.inference_ns, samples.postprocess_ns], axis=0)[:-1]
    assert np.median(total - calls) < 20_000
