"""MobileNetV1 as we export it, and as its peers run it: one table of one run, peers taking turns on the same cores.

    OMP_WAIT_POLICY=PASSIVE python tests/benchmarks/bench_convert.py [--turns 15] [--threads 2] [--models FOLDER]
        [--litert-python .venv-litert/bin/python]

Every peer lives in a process of its own and sleeps while another measures. fp32 peers get the same network; int8 peers
one ONNX file, quantized statically by ONNX Runtime on the same photographs. LiteRT gets files of its own, made of the
same network by its converter and quantizer, which bring JAX with them and so run in an environment of their own;
`make bench-convert` makes it. The yardstick is the best rate of any peer's large matrix product on these cores:
torch's own is far below it on some processors. The table replaces the one in docs/conversion.md.
"""

import argparse
import datetime
import importlib.metadata
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from report import put_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "conversion.md"
VARIANTS = ((1.0, 224), (1.0, 128), (0.5, 224), (0.5, 128))
PEERS = (
    "mobisdk fp32",
    "ONNX Runtime fp32",
    "OpenVINO fp32",
    "LiteRT fp32",
    "torch.compile fp32",
    "mobisdk int8",
    "ONNX Runtime int8",
    "OpenVINO int8",
    "LiteRT int8",
)
SIDE = 1536
"""Of the matrices of the yardstick."""
SAMPLES = 10
"""A turn: short, so that whatever else the computer does hits every peer alike."""

COMPLETE = "complete"

Forward = Callable[[], Any]


def main() -> None:
    """Measure everything, and put the table into the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--models", type=Path, help="Folder that keeps what is exported, or has it from before.")
    parser.add_argument("--litert-python", type=Path, default=Path(".venv-litert/bin/python"), help="Has litert-torch.")
    parser.add_argument("--variants", type=int, default=len(VARIANTS), help="Measure the first so many of the four.")
    parser.add_argument("--export-only", action="store_true", help="Do not measure: what follows should run alone.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.models or Path(name)
        if not (folder / COMPLETE).exists():
            export_models(folder)
            export_litert(folder, options.litert_python)
            (folder / COMPLETE).touch()
        if options.export_only:
            return
        peaks = measure_peaks(options.threads)
        rows = [measure_variant(folder, alpha, side, options) for alpha, side in VARIANTS[: options.variants]]
    table = write_table(rows, peaks, options)
    put_table(DOCUMENT, "bench-convert", table)


def export_models(folder: Path) -> None:
    """Every variant as our bundles, as ONNX, and as quantized ONNX."""
    import torch
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from mobiconvert import find_recipe
    from mobiconvert.deployment import DeployedNetwork
    from mobisdk.cli.networks import convert_network, create_untrained_network
    from mobisdk.data.photographs import photograph_crops
    from mobisdk.specs import ModelSpec

    class Photographs(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, images: np.ndarray) -> None:
            self.images = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.images, None)
            return None if image is None else {"image": image.transpose(2, 0, 1)[None].astype(np.float32) / 255}

    for alpha, side in VARIANTS:
        network = create_untrained_network(ModelSpec(alpha=alpha, resolution=side))
        for recipe in ("xnnpack_fp32", "xnnpack_int8"):
            bundle = convert_network(network, find_recipe(recipe, "android"), folder / "bundles")
            bundle.path.rename(folder / f"{alpha}-{side}-{recipe}")
        path = folder / f"{alpha}-{side}"
        deployed = DeployedNetwork(network.module, network.input).eval()
        torch.export.save(
            torch.export.export(deployed, (torch.rand(1, 3, side, side),)), path.with_name(path.name + ".pt2")
        )
        photographs = photograph_crops(20, network.input)
        np.save(path.with_name(path.name + ".npy"), photographs.transpose(0, 3, 1, 2).astype(np.float32) / 255)
        torch.onnx.export(
            deployed,
            (torch.rand(1, 3, side, side),),
            path.with_name(path.name + ".onnx"),
            input_names=["image"],
            dynamo=True,
            verbose=False,
        )
        quant_pre_process(path.with_name(path.name + ".onnx"), path.with_name(path.name + "-ready.onnx"))
        quantize_static(
            path.with_name(path.name + "-ready.onnx"),
            path.with_name(path.name + "-int8.onnx"),
            Photographs(photographs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def export_litert(folder: Path, python: Path) -> None:
    """The same networks as LiteRT's files; that environment must not see this one's packages."""
    if not python.exists():
        sys.exit(f"{python} is not here: `make bench-convert` makes it, or name another with --litert-python")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = Path(__file__).with_name("litert_models.py")
    subprocess.run([python, "-W", "ignore", script, folder], check=True, env=environment)


def measure_variant(folder: Path, alpha: float, side: int, options: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds a forward of every peer, turn by turn."""
    peers = {name: Peer(name, str(folder), alpha, side, options.threads) for name in PEERS}
    samples: dict[str, list[float]] = {name: [] for name in PEERS}
    for _ in range(options.turns):
        for name, peer in peers.items():
            samples[name] += peer.measure()
    for peer in peers.values():
        peer.stop()
    return samples


class Peer:
    """A process that measures when it is told to, and sleeps otherwise."""

    def __init__(self, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, *arguments))
        self._process.start()
        self._pipe.recv()

    def measure(self) -> list[float]:
        """Milliseconds of each sample of a turn."""
        self._pipe.send("measure")
        samples: list[float] = self._pipe.recv()
        return samples

    def stop(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()


def serve(pipe: Connection, name: str, folder: str, alpha: float, side: int, threads: int) -> None:
    """What a peer's process does."""
    forward = open_peer(name, Path(folder), alpha, side, threads)
    for _ in range(SAMPLES):
        forward()
    pipe.send("ready")
    while pipe.recv() is not None:
        forward()  # wakes the threads; not measured
        samples = []
        for _ in range(SAMPLES):
            started = time.perf_counter_ns()
            forward()
            samples.append((time.perf_counter_ns() - started) / 1e6)
        pipe.send(samples)


def open_peer(name: str, folder: Path, alpha: float, side: int, threads: int) -> Forward:
    """Load one peer's network; the function runs it once."""
    image = np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32)
    runtime, precision = name.rsplit(" ", 1)
    onnx = folder / f"{alpha}-{side}{'-int8' if precision == 'int8' else ''}.onnx"
    if runtime == "mobisdk":
        from mobiconvert.executorch.runtime import ExecuTorchClassifier, set_threads

        set_threads(threads)
        classifier = ExecuTorchClassifier(folder / f"{alpha}-{side}-xnnpack_{precision}" / "model.pte")
        classifier.load()
        prepared = classifier.prepare((image[0].transpose(1, 2, 0) * 255).astype(np.uint8))
        return lambda: classifier.forward(prepared)
    if runtime == "ONNX Runtime":
        session = open_onnx(onnx, threads)
        return lambda: session.run(None, {"image": image})
    if runtime == "OpenVINO":
        compiled = open_openvino(onnx, threads)
        request = compiled.create_infer_request()
        return lambda: request.infer([image])
    if runtime == "LiteRT":
        return open_litert(onnx.with_suffix(".tflite"), image, threads)
    import torch

    from mobiconvert.deployment import DeployedNetwork
    from mobisdk.cli.networks import create_untrained_network
    from mobisdk.specs import ModelSpec

    torch.set_num_threads(threads)
    network = create_untrained_network(ModelSpec(alpha=alpha, resolution=side))
    compiled_network = torch.compile(DeployedNetwork(network.module, network.input).eval())
    tensor = torch.from_numpy(image)

    def run() -> Any:
        with torch.inference_mode():
            return compiled_network(tensor)

    return run


def open_onnx(model: Any, threads: int) -> Any:
    """An ONNX Runtime session of a file or of bytes."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])


def open_openvino(model: Any, threads: int) -> Any:
    """An OpenVINO network; float32 stays float32, which is not its default."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(model, "CPU", settings)


def open_litert(path: Path, image: np.ndarray, threads: int) -> Forward:
    """LiteRT's interpreter with its XNNPACK delegate, the default; the (1,3,H,W) image as its file takes it."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    (given,), (logits,) = interpreter.get_input_details(), interpreter.get_output_details()
    pixels = image.transpose(0, 2, 3, 1)
    scale, zero = given["quantization"]
    if scale:
        pixels = np.clip(np.round(pixels / scale) + zero, -128, 127)
    tensor = np.ascontiguousarray(pixels, dtype=given["dtype"])

    def run() -> Any:
        interpreter.set_tensor(given["index"], tensor)
        interpreter.invoke()
        return interpreter.get_tensor(logits["index"])

    return run


def measure_peaks(threads: int) -> dict[str, float]:
    """Multiply-adds a second, in 10⁹, of the best large matrix product that a peer does, by precision."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return {precision: pool.apply(measure_peak, (precision, threads)) for precision in ("fp32", "int8")}


def measure_peak(precision: str, threads: int) -> float:
    """The best of torch, ONNX Runtime and OpenVINO."""
    import torch
    from onnx import TensorProto, helper, numpy_helper

    torch.set_num_threads(threads)
    generator = np.random.default_rng(0)
    if precision == "fp32":
        left: np.ndarray = generator.random((SIDE, SIDE), dtype=np.float32)
        right: np.ndarray = generator.random((SIDE, SIDE), dtype=np.float32)
        node, kind, bias = helper.make_node("MatMul", ["left", "right"], ["out"]), TensorProto.FLOAT, TensorProto.FLOAT
        tensors = torch.from_numpy(left), torch.from_numpy(right)
        forwards: list[Forward] = [lambda: tensors[0] @ tensors[1]]
    else:
        left = generator.integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
        right = generator.integers(-127, 127, (SIDE, SIDE), dtype=np.int8)
        node = helper.make_node("MatMulInteger", ["left", "right"], ["out"])
        kind, bias = TensorProto.UINT8, TensorProto.INT32
        forwards = []
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("left", kind, [SIDE, SIDE])],
        [helper.make_tensor_value_info("out", bias, [SIDE, SIDE])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = open_onnx(model.SerializeToString(), threads)
    forwards.append(lambda: session.run(None, {"left": left}))
    if precision == "fp32":
        import openvino

        read = openvino.Core().read_model(model.SerializeToString())
        request = open_openvino(read, threads).create_infer_request()
        forwards.append(lambda: request.infer([left]))
    return max(SIDE**3 / time_once(forward) / 1e9 for forward in forwards)


def time_once(forward: Forward) -> float:
    """Seconds of the fastest of ten."""
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        forward()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def write_table(rows: list[dict[str, list[float]]], peaks: dict[str, float], options: argparse.Namespace) -> str:
    """Medians in milliseconds with the share of the peak, and how it was measured."""
    from mobisdk.cost import count_cost
    from mobisdk.models import create_model
    from mobisdk.specs import ModelSpec

    variants = VARIANTS[: options.variants]
    names = [f"{alpha:g} at {side}" for alpha, side in variants]
    lines = ["| median ms (share of peak) | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for peer in PEERS:
        cells = []
        for row, (alpha, side) in zip(rows, variants, strict=True):
            macs = count_cost(create_model(ModelSpec(alpha=alpha, resolution=side)), (1, 3, side, side)).macs
            median = statistics.median(row[peer])
            share = macs / (median / 1e3) / 1e9 / peaks[peer.rsplit(" ", 1)[1]]
            cells.append(f"{median:.2f} ({share:.0%})")
        lines.append(f"| {peer} | " + " | ".join(cells) + " |")
    versions = ", ".join(
        f"{package} {importlib.metadata.version(package)}"
        for package in ("torch", "executorch", "onnxruntime", "openvino", "ai-edge-litert")
    )
    lines.append(
        f"\n{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {platform.machine()} {platform.system()}, "
        f"{options.threads} threads, {options.turns} turns of {SAMPLES} samples, `make bench-convert`; {versions}. "
        f"Peak: {peaks['fp32']:.0f} and {peaks['int8']:.0f} thousand million multiply-adds a second in fp32 and int8; "
        f"load {os.getloadavg()[0]:.1f} at the end."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
