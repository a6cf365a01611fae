"""What torch, ExecuTorch and coremltools raise, as one sentence: they have no error class of their own."""

import contextlib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch

from mobisdk.errors import ConversionError, MobiError

_LONGEST = 300
_TORCH = str(Path(torch.__file__).parent)
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in \w+')


@contextlib.contextmanager
def toolchain_errors(what: str, program: torch.export.ExportedProgram | None = None) -> Iterator[None]:
    """Wrap whatever a toolchain raises, with the line of the network's code that it is about, where torch knows it.

    `program` is what the toolchain was given: its nodes know the code that they come from.

    Raises:
        ConversionError: in place of it.
    """
    try:
        yield
    except (MobiError, OSError):
        raise
    except Exception as exc:
        reason = str(exc).strip()
        first_line = reason.split("\n")[0][:_LONGEST].rstrip(".")
        place = _find_forward(exc) or (_find_operator(reason, program) if program is not None else None)
        raise ConversionError(
            f"{what}: {type(exc).__name__}: {first_line}" + (f" (at {place})" if place else ""),
            hint="--debug shows the trace",
        ) from exc


def _find_forward(exc: Exception) -> str | None:
    """The innermost line of a module's `forward` outside torch that was running."""
    frames = [
        frame
        for frame in traceback.extract_tb(exc.__traceback__)
        if frame.name == "forward" and not frame.filename.startswith((_TORCH, "<"))
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


def _find_operator(reason: str, program: torch.export.ExportedProgram) -> str | None:
    """The line that the first operator named in `reason` was traced from."""
    for node in program.graph.nodes:
        if node.op == "call_function" and str(node.target) in reason and node.meta.get("stack_trace"):
            frames = [match for match in _FRAME.finditer(node.meta["stack_trace"]) if not match[1].startswith(_TORCH)]
            return f"{frames[-1][1]}:{frames[-1][2]}" if frames else None
    return None
