"""Keeps what the toolchains print about themselves away from the user.

coremltools, torchao and ExecuTorch warn on import of versions they were not tested with and of CUDA libraries that
nobody asked for, through Python's warnings, through logging, and straight from C++ to the file descriptors.
"""

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO

_STDOUT, _STDERR = 1, 2


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Nothing said within reaches the user; everything is as it was afterwards, also after an exception."""
    logging_was_disabled_at = logging.root.manager.disable
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging_was_disabled_at)
        for stream, descriptor, redirect in (
            (sys.stdout, _STDOUT, contextlib.redirect_stdout),
            (sys.stderr, _STDERR, contextlib.redirect_stderr),
        ):
            stack.enter_context(_descriptor_silenced(descriptor))
            if _writes_to(stream, descriptor):
                stream.flush()
                stack.callback(stream.flush)
            else:
                # A captured stream. The real ones stay in place: a log handler made within keeps the one it finds.
                stack.enter_context(redirect(io.StringIO()))
        yield


def _writes_to(stream: TextIO | None, descriptor: int) -> bool:
    try:
        return stream is not None and stream.fileno() == descriptor
    except (OSError, ValueError):  # a stream in memory, or a closed one
        return False


@contextlib.contextmanager
def _descriptor_silenced(descriptor: int) -> Iterator[None]:
    try:
        kept = os.dup(descriptor)
    except OSError:  # closed by whoever started the process: nothing said there reaches anybody
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  (os.devnull is no path on Windows)
            os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
