"""The benchmark: golden checked first, bundles interleaved, every sample kept."""

import contextlib
import dataclasses
import datetime
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

from mobisdk.bundle import Bundle, verify_files
from mobisdk.devices import cold, host
from mobisdk.devices.bench_config import LARGEST_SAMPLES, BenchConfig, interleave
from mobisdk.devices.classifier import Classifier
from mobisdk.devices.golden import require_golden
from mobisdk.devices.manifest_facts import describe_bundle, describe_placement, describe_runtime
from mobisdk.devices.sampling import Samples, garbage_collection_paused, is_warm, take_samples
from mobisdk.latency.record import (
    Conditions,
    Energy,
    GoldenCheck,
    LatencyRun,
    Memory,
    Mode,
    SourceImage,
    durations,
)
from mobisdk.preprocess import load_image

_SECOND_NS = 10**9
LARGEST_WARMUP = 200
LONGEST_WARMUP_NS = 10 * _SECOND_NS


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """An artefact that is ready to run and has run once, correctly."""

    started_at: str
    conditions: Conditions
    classifier: Classifier
    load_ns: int
    first_inference_ns: int
    golden: GoldenCheck


class _Cancelled(Exception):  # noqa: N818  (it is no error)
    """The run under way is dropped."""


@dataclasses.dataclass(frozen=True)
class BenchmarkRunner:
    """Measures bundles over any `Classifier`; the same noun as in the Kotlin and the Swift app."""

    open_classifier: Callable[[Bundle], Classifier]
    config: BenchConfig
    is_cancelled: Callable[[], bool] = lambda: False
    """Asked after every sample; the run under way is dropped, whole ones were given out already."""
    on_progress: Callable[[float], None] = lambda _: None
    """Told how many runs are done, parts of one included; between samples, at most once a second."""
    clock: Callable[[], int] = time.perf_counter_ns
    start_cold: Callable[[Bundle, int], LatencyRun] = cold.start_cold

    def count_runs(self, bundles: Sequence[Bundle]) -> int:
        """Return how many runs `run` gives."""
        return len(bundles) * (self.config.cold_starts + self.config.runs)

    def run(self, bundles: Sequence[Bundle]) -> Iterator[LatencyRun]:
        """Check every golden image, then give each run when it is whole: cold starts first, then round after round.

        An artefact is loaded anew for each run: every run stands for itself, and one network at a time is in memory.

        Raises:
            ParityError: an artefact is wrong about its golden image.
            BundleError: an artefact does not load.
            DeviceError: a cold start failed.
        """
        session_id = str(uuid.uuid4())
        for bundle in bundles:
            with self._loaded(bundle):
                pass
        plan: list[tuple[Mode, Bundle]] = [
            *(("cold", bundle) for bundle in interleave(bundles, self.config.cold_starts)),
            *((self.config.mode, bundle) for bundle in interleave(bundles, self.config.runs)),
        ]
        with contextlib.suppress(_Cancelled):
            for index, (mode, bundle) in enumerate(plan):
                self._stop_if_cancelled()
                if mode == "cold":
                    run = self.start_cold(bundle, self.config.threads)
                else:
                    run = self._measure(bundle, runs_done=index, shares_process=len(bundles) > 1)
                yield dataclasses.replace(run, session_id=session_id, run_index=index)
                self.on_progress(index + 1)

    def run_cold(self, bundle: Bundle) -> LatencyRun:
        """Load and run once; a cold start where this process has loaded nothing before.

        Raises:
            ParityError: the artefact is wrong about its golden image.
            BundleError: the artefact is damaged or does not load.
        """
        verify_files(bundle)  # reads every byte, so that the system's file cache is warm whatever it was before
        with self._loaded(bundle) as loaded:
            return self._describe(bundle, "cold", loaded, peak_bytes=host.read_peak_memory())

    def _measure(self, bundle: Bundle, runs_done: int, shares_process: bool) -> LatencyRun:
        pixels = load_image(bundle.path / bundle.manifest["golden"]["image"])
        with self._loaded(bundle) as loaded, garbage_collection_paused():
            warmup = take_samples(loaded.classifier, pixels, bundle.input, self._is_warmed_up, self.clock)
            samples = take_samples(loaded.classifier, pixels, bundle.input, self._end_of_run(runs_done), self.clock)
        height, width = pixels.shape[:2]
        return self._describe(
            bundle,
            self.config.mode,
            loaded,
            peak_bytes=None if shares_process else host.read_peak_memory(),
            source_image=SourceImage(width, height),
            warmup=warmup,
            samples=samples,
        )

    @contextlib.contextmanager
    def _loaded(self, bundle: Bundle) -> Iterator[_Loaded]:
        started_at = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        conditions = host.read_conditions()
        classifier = self.open_classifier(bundle)
        try:
            begun = self.clock()
            classifier.load()
            load_ns = self.clock() - begun
            prepared = classifier.prepare(bundle.golden_input())
            begun = self.clock()
            logits = classifier.forward(prepared)
            first_inference_ns = self.clock() - begun
            golden = require_golden(bundle, logits)
            yield _Loaded(started_at, conditions, classifier, load_ns, first_inference_ns, golden)
        finally:
            classifier.close()

    def _stop_if_cancelled(self) -> None:
        if self.is_cancelled():
            raise _Cancelled

    def _is_warmed_up(self, warmup: Samples, elapsed_ns: int) -> bool:
        self._stop_if_cancelled()
        times = warmup.inference_ns
        return is_warm(times) or len(times) >= LARGEST_WARMUP or elapsed_ns >= LONGEST_WARMUP_NS

    def _end_of_run(self, runs_done: int) -> Callable[[Samples, int], bool]:
        """Return what ends a run: its number of samples, or in sustained mode its time."""
        sustained = self.config.mode == "sustained"
        most_samples = LARGEST_SAMPLES if sustained else self.config.samples
        most_ns = self.config.seconds * _SECOND_NS
        told_ns = 0

        def is_over(samples: Samples, elapsed_ns: int) -> bool:
            nonlocal told_ns
            self._stop_if_cancelled()
            count = len(samples.inference_ns)
            if elapsed_ns - told_ns >= _SECOND_NS:
                told_ns = elapsed_ns
                share = elapsed_ns / most_ns if sustained else count / most_samples
                self.on_progress(runs_done + min(share, 1.0))
            return count >= most_samples or (sustained and elapsed_ns >= most_ns)

        return is_over

    def _describe(
        self,
        bundle: Bundle,
        mode: Mode,
        loaded: _Loaded,
        *,
        peak_bytes: int | None,
        source_image: SourceImage | None = None,
        warmup: Samples | None = None,
        samples: Samples | None = None,
    ) -> LatencyRun:
        warmup, samples = warmup or Samples(), samples or Samples()
        cores = host.read_cores()
        notes = [f"{cores.logical} logical processors on {cores.physical} physical cores"]
        if mode != "cold" and not is_warm(warmup.inference_ns):
            notes.append(f"not warm yet after {len(warmup.inference_ns)} inferences")
        if mode == "sustained" and len(samples.inference_ns) == LARGEST_SAMPLES:
            notes.append(f"ended after {LARGEST_SAMPLES} samples, the most that a line holds")
        return LatencyRun(
            run_id=str(uuid.uuid4()),
            session_id=str(uuid.uuid4()),
            process_id=host.PROCESS_ID,
            run_index=0,
            started_at=loaded.started_at,
            mode=mode,
            app=host.describe_app(),
            device=host.read_device(),
            bundle=describe_bundle(bundle),
            runtime=describe_runtime(bundle, self.config.threads),
            placement=describe_placement(bundle),
            conditions=loaded.conditions,
            cache_state="warm",  # this process read the artefact's every byte before it was loaded for this run
            compile_ns=None,  # nothing is compiled on a computer: the artefact was, when it was exported
            load_ns=loaded.load_ns,
            first_inference_ns=loaded.first_inference_ns,
            source_image=source_image,
            warmup_ns=durations(warmup.inference_ns),
            preprocess_ns=durations(samples.preprocess_ns),
            inference_ns=durations(samples.inference_ns),
            postprocess_ns=durations(samples.postprocess_ns),
            sample_at_ns=durations(samples.sample_at_ns),
            thermal=(),
            memory=Memory(peak_bytes),
            energy=Energy(None),
            golden=loaded.golden,
            notes="; ".join(notes),
        )
