"""`mobisdk verify some.mlpackage`: what a Core ML package of any tool can prove, on any system."""

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mobisdk.cli.checks import Check
from mobisdk.errors import MobiError, UnsupportedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mobiconvert.mil_evaluator import MilProgram, PackageReport
    from mobiconvert.mil_evaluator.program import ProgramInput

    Arrays = dict[str, NDArray[np.generic]]

_SUFFIX = ".mlpackage"
_SHOWN = 8
_CORE_ML_RELATIVE_ERROR = 0.1
"""Between two runs of the same float16 program: what an untrained network's rounding may amount to."""


def is_package(path: Path) -> bool:
    """Whether a person means a Core ML package: also one that is no package any more."""
    return path.name.endswith(_SUFFIX) or (path / "Data" / "com.apple.CoreML").is_dir()


def verify_package(path: Path) -> Iterator[Check]:
    """Check a package; the first thing that cannot be checked ends it."""
    from mobiconvert.mil_evaluator import describe_package, load_mil_program

    try:
        report = describe_package(path)
        yield _check_package(report)
        yield Check("weights", True, _describe_weights(report), dataclasses.asdict(report.weights))
        yield _check_operations(report)
        yield report_neural_engine(report)
        if report.unknown:
            yield Check("evaluation", None, "not evaluated: Core ML on a Mac runs what is not known here")
        else:
            yield from _check_evaluation(path, load_mil_program(path))
    except UnsupportedError as refusal:
        yield Check("evaluation", None, str(refusal))
    except MobiError as error:
        yield Check("package", False, str(error))


def _check_package(report: "PackageReport") -> Check:
    features = "; ".join(
        f"{kind} {name}: {text}"
        for kind, each in (("takes", report.inputs), ("gives", report.outputs))
        for name, text in each.items()
    )
    found = f"{report.size_bytes / 1e6:.2f} MB, specification {report.specification_version} ({report.needs}); "
    figures = dataclasses.asdict(report)
    return Check("package", True, found + features, {name: figures[name] for name in _PACKAGE_FIGURES})


_PACKAGE_FIGURES = ("specification_version", "needs", "size_bytes", "inputs", "outputs")


def _describe_weights(report: "PackageReport") -> str:
    weights = report.weights
    stored = ", ".join(f"{count:,} {name}" for name, count in weights.types.items())
    unpacking = ", ".join(f"{count} × {name}" for name, count in weights.unpacking.items())
    return (
        f"{weights.values:,} weights in {weights.stored_bytes / 1e6:.2f} MB, {weights.bits:.1f} bits each"
        + (f": stored as {stored}" if stored else "")
        + (f"; unpacked by {unpacking}" if unpacking else "")
    )


def _check_operations(report: "PackageReport") -> Check:
    most = list(report.operations.items())
    listed = ", ".join(f"{count} × {name}" for name, count in most[:_SHOWN])
    more = f" and {len(most) - _SHOWN} other kinds" if len(most) > _SHOWN else ""
    found = f"{sum(report.operations.values())}: {listed}{more}"
    figures = {"operations": report.operations, "unknown": list(report.unknown)}
    if not report.unknown:
        return Check("operations", True, f"{found}; all are known to the evaluator", figures)
    shown = "; ".join(report.unknown[:_SHOWN])
    more = f"; and {len(report.unknown) - _SHOWN} more" if len(report.unknown) > _SHOWN else ""
    return Check("operations", None, f"{found}. {shown}{more}", figures)


def report_neural_engine(report: "PackageReport") -> Check:
    """What public rules forecast: it is never a failure, and only a phone knows."""
    leaving = report.leaves_neural_engine
    found = "; ".join(f"{each.count} × {each.op} ({each.reason})" for each in leaving)
    return Check(
        "Neural Engine",
        None if leaving else True,
        f"known to leave it: {found}" if leaving else "no operation is known to leave it; the phone decides",
        {"leaves": [dataclasses.asdict(each) for each in leaving]},
    )


def _check_evaluation(path: Path, program: "MilProgram") -> Iterator[Check]:
    """Two photographs: outputs must be numbers, and not the same for both."""
    import numpy as np

    from mobiconvert.mil_evaluator import evaluate
    from mobisdk.data.photographs import load_photographs

    other = [given for given in program.inputs if not _takes_photographs(given)]
    if other or len(program.inputs) != 1:
        taken = ", ".join(f"{given.name} {given.type.dtype.name} {given.type.shape}" for given in other)
        yield Check("evaluation", None, f"not evaluated: a photograph fits one image input, and this takes {taken}")
        return
    (given,) = program.inputs
    photographs = load_photographs()
    fed = [_fit(photograph.pixels, given) for photograph in photographs]
    first, second = (evaluate(program, {given.name: array}) for array in fed)
    rows = [_describe_output(name, first[name], second[name]) for name, _ in program.outputs]
    floats = [name for name, declared in program.outputs if declared.dtype.name in ("fp16", "fp32")]
    finite = all(np.isfinite(output[name].astype(np.float64)).all() for output in (first, second) for name in floats)
    differs = not floats or any(not np.array_equal(first[name], second[name]) for name in floats)
    names = " and ".join(photograph.name for photograph in photographs)
    problem = "" if finite else "; an output is not a number"
    problem += "" if differs else "; every output is the same for both: the network does not look at its input"
    yield Check(
        "evaluation", finite and differs, f"on scikit-learn's photographs {names}{problem}", {"outputs": rows}, rows
    )
    if sys.platform == "darwin" and floats:
        yield _ask_core_ml(path, given, floats[0], photographs[0].pixels, first)


def _takes_photographs(given: "ProgramInput") -> bool:
    shape = _shape_to_feed(given)
    is_float = given.type.dtype.name in ("fp16", "fp32")
    return given.kind == "image" or (is_float and len(shape) == 4 and shape[:2] == (1, 3))


def _shape_to_feed(given: "ProgramInput") -> tuple[int, ...]:
    known = tuple(size for size in given.type.shape if size is not None)
    return known if len(known) == len(given.type.shape) else given.usual_shape


def _fit(pixels: "NDArray[np.uint8]", given: "ProgramInput") -> "NDArray[np.generic]":
    """A photograph, cut and scaled to what the program takes: NCHW, an image 0 to 255, a tensor RGB in [0,1]."""
    import numpy as np
    from PIL import Image, ImageOps

    height, width = _shape_to_feed(given)[-2:]
    image = ImageOps.fit(Image.fromarray(pixels), (width, height), Image.Resampling.BILINEAR)
    if given.color is not None and given.color.startswith("GRAYSCALE"):
        return np.asarray(image.convert("L"), dtype=np.float32)[None, None]
    planes = np.asarray(image, dtype=np.float32).transpose(2, 0, 1)[None]
    if given.kind == "tensor":
        planes = planes / np.float32(255)
    return planes[:, ::-1] if given.color == "BGR" else planes


def _describe_output(name: str, first: "NDArray[np.generic]", second: "NDArray[np.generic]") -> Mapping[str, str]:
    import numpy as np

    with np.errstate(invalid="ignore"):  # ∞ less ∞
        difference = np.abs(first.astype(np.float64) - second.astype(np.float64)).max()
    return {
        "output": name,
        "type": str(first.dtype),
        "shape": "×".join(map(str, first.shape)) or "a number",
        "lowest": f"{first.min():.4g}",
        "highest": f"{first.max():.4g}",
        "largest at": str(int(np.argmax(first))),
        "between the two": f"{difference:.4g}",
    }


def _ask_core_ml(path: Path, given: "ProgramInput", output: str, pixels: "NDArray[np.uint8]", ours: "Arrays") -> Check:
    """The same photograph under Core ML itself, which a Mac has."""
    import numpy as np
    from PIL import Image, ImageOps

    from mobiconvert.coreml.prediction import CoreMLClassifier
    from mobiconvert.parity import measure_parity

    height, width = _shape_to_feed(given)[-2:]
    fitted = np.asarray(ImageOps.fit(Image.fromarray(pixels), (width, height), Image.Resampling.BILINEAR))
    classifier = CoreMLClassifier(path, given.name, given.kind, output)
    classifier.load()
    try:
        theirs = classifier.forward(classifier.prepare(fitted))
    finally:
        classifier.close()
    parity = measure_parity(ours[output].astype(np.float64).reshape(1, -1), theirs.reshape(1, -1))
    return Check(
        "Core ML itself",
        parity.relative_error <= _CORE_ML_RELATIVE_ERROR,
        f"{output} differs from what is computed here by at most {parity.relative_error:.2g} of its largest value, "
        f"SQNR {parity.sqnr_db:.1f} dB",
        dataclasses.asdict(parity),
    )
