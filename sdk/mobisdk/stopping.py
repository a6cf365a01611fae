"""Ctrl-C and SIGTERM, remembered.

Toolchains catch every exception here and there (Core ML Tools in fifty places), and with it what a signal has raised:
an export that was told to stop would go on to its end.
"""

import signal
import sys
from types import FrameType

_heard: int | None = None


def hear_signals() -> None:
    """Let Ctrl-C raise KeyboardInterrupt and SIGTERM exit with 143, so that partial files are removed.

    A program that was started with Ctrl-C ignored, as in the background, goes on ignoring it.
    """
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def stop_if_told() -> None:
    """Raise once more what a signal has raised, before anything is kept of work that was told to stop.

    Raises:
        KeyboardInterrupt: Ctrl-C was heard.
        SystemExit: SIGTERM was heard.
    """
    if _heard == signal.SIGINT:
        raise KeyboardInterrupt
    if _heard == signal.SIGTERM:
        sys.exit(128 + signal.SIGTERM)


def _stop(number: int, _frame: FrameType | None) -> None:
    global _heard
    _heard = number
    stop_if_told()
