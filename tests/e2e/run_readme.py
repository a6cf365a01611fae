"""Runs every command of README.md in an empty folder, as printed, and puts what it printed below it: `make readme`.

A `$ command` line of a console block is followed by its output, stdout and stderr as they come. The first command that
fails ends it, and README.md stays as it was.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Run, and rewrite README.md."""
    with tempfile.TemporaryDirectory() as folder:
        text = _BLOCK.sub(lambda block: _run_block(block[1], folder), README.read_text(encoding="utf-8"))
    README.write_text(text, encoding="utf-8")


def _run_block(block: str, folder: str) -> str:
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    shown = "\n".join(f"$ {command}\n{_run(command, folder)}".rstrip() for command in commands)
    return f"```console\n{shown}\n```"


def _run(command: str, folder: str) -> str:
    print(f"$ {command}", file=sys.stderr)  # noqa: T201
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "118"}
    done = subprocess.run(  # noqa: S602  (README's commands have globs)
        command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nexit status {done.returncode}: {command}")
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


if __name__ == "__main__":
    main()
