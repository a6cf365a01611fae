"""Every technique × three networks: compressed, fine-tuned, exported to both targets, verified and timed.

    OMP_NUM_THREADS=1 PYTHONPATH=. python tests/benchmarks/bench_compression_sweep.py [--again]

Untrained networks at 32, of a quarter of the width: whether a chain holds does not depend on what they know. What is
done is in docs/compression-sweep.jsonl, and the next start goes on; `--again` repeats what failed. The table goes into
docs/compression.md.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from report import put_table, tell
from tests.e2e.compression_chain import ChainError, take_to_both_phones
from tests.sdk.untrained_checkpoint import save_untrained

from mobisdk.compression import list_methods
from mobisdk.specs import ModelSpec

DOCUMENT = Path(__file__).parents[2] / "docs" / "compression.md"
ROWS = DOCUMENT.with_name("compression-sweep.jsonl")
SPECS = (
    ModelSpec("mobilenet_v1", 0.25, 32, 10),
    ModelSpec("mobilenet_v1_full_conv", 0.25, 32, 10),
    ModelSpec("squeezenet_1_1", 1.0, 32, 10),
)


def main() -> None:
    """Sweep what is not done yet, and put the table into the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--again", action="store_true", help="Repeat what failed.")
    parser.add_argument("--minutes", type=float, help="Begin no row later than this.")
    options = parser.parse_args()
    lines = options.rows.read_text().splitlines() if options.rows.exists() else []
    errors: dict[tuple[str, str], str | None] = {
        (row["arch"], row["method"]): row["error"] for row in map(json.loads, lines)
    }
    begun = time.monotonic()
    for method, spec in ((method, spec) for method in list_methods() for spec in SPECS):
        key = spec.arch, method
        if key in errors and not (options.again and errors[key] is not None):
            continue
        if options.minutes is not None and time.monotonic() - begun > 60 * options.minutes:
            break
        errors[key] = sweep_row(spec, method)
        with options.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"arch": spec.arch, "method": method, "error": errors[key]}, sort_keys=True) + "\n")
        tell(f"{spec.arch} {method}: {errors[key] or 'whole'}")
    put_table(DOCUMENT, "bench-compression-sweep", write_table(errors))


def sweep_row(spec: ModelSpec, method: str) -> str | None:
    """What failed, if anything did."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            take_to_both_phones(save_untrained(Path(folder), spec), method, Path(folder))
        except ChainError as error:
            return " ".join(str(error).replace(folder, "").split())[:400]
    return None


def write_table(errors: dict[tuple[str, str], str | None]) -> str:
    """Markdown: a technique a line, a network a column, then every failure."""
    names = [spec.arch for spec in SPECS]
    lines = [f"| method | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for method in list_methods():
        found = [errors.get((name, method), "") for name in names]
        cells = ["not run" if error == "" else "whole" if error is None else "fails" for error in found]
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    failures = [f"- {arch} `{method}`: {error}" for (arch, method), error in errors.items() if error]
    return "\n".join([*lines, *(["", *failures] if failures else [])])


if __name__ == "__main__":
    main()
