import contextlib
import signal
from collections.abc import Iterator

import pytest

from mobisdk import stopping


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    stopping._heard = None


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_that_a_library_swallowed_is_raised_once_more(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    stopping.hear_signals()
    stopping.stop_if_told()  # nothing was heard yet

    swallowed = False
    with contextlib.suppress(BaseException):
        signal.raise_signal(number)
        swallowed = True
    assert not swallowed

    with pytest.raises(raised) as caught:
        stopping.stop_if_told()
    assert getattr(caught.value, "code", 143) == 143


def test_ctrl_c_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopping.hear_signals()

    signal.raise_signal(signal.SIGINT)
    stopping.stop_if_told()
