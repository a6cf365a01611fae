"""`quiet_imports` hides every way of printing, and leaves each as it was."""

import io
import logging
import os
import subprocess
import sys
import warnings

import pytest

from mobiconvert.quiet import quiet_imports


def _say_everything(word: str) -> None:
    print(f"{word} print")  # noqa: T201
    print(f"{word} error", file=sys.stderr)  # noqa: T201
    os.write(1, f"{word} descriptor 1\n".encode())
    os.write(2, f"{word} descriptor 2\n".encode())
    logging.getLogger("a.library").error("%s log", word)
    warnings.warn(f"{word} warning", UserWarning, stacklevel=1)


def test_nothing_said_within_is_heard(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with quiet_imports():
        _say_everything("within")
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []


def test_everything_said_afterwards_is_heard(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with quiet_imports(), quiet_imports():
        _say_everything("within")
    with pytest.warns(UserWarning, match="after warning"):
        _say_everything("after")
    out, err = capfd.readouterr()
    assert sorted(out.splitlines()) == ["after descriptor 1", "after print"]
    assert sorted(err.splitlines()) == ["after descriptor 2", "after error"]
    assert caplog.messages == ["after log"]


def test_an_exception_leaves_nothing_silenced(capfd: pytest.CaptureFixture[str]) -> None:
    logging.disable(logging.INFO)
    try:
        with pytest.raises(ZeroDivisionError), quiet_imports():
            _ = 1 / 0
        assert logging.root.manager.disable == logging.INFO
    finally:
        logging.disable(logging.NOTSET)
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_streams_in_memory_are_silenced_too(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = io.StringIO()
    monkeypatch.setattr(sys, "stdout", captured)
    with quiet_imports():
        print("within")  # noqa: T201
    print("after")  # noqa: T201
    assert captured.getvalue() == "after\n"


@pytest.mark.skipif(os.name != "posix", reason="closing a descriptor in a shell is POSIX")
def test_printing_before_and_after_is_kept_even_where_stderr_is_closed() -> None:
    script = (
        "from mobiconvert.quiet import quiet_imports\nprint('before')\n"
        "with quiet_imports(): print('in')\nprint('after')"
    )
    finished = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, script], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "before\nafter\n"
