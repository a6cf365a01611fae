"""Prints the line coverage of MobiRuntime from `swift test --show-codecov-path`; exit 1 where it is too low."""

import json
import sys
from pathlib import Path

SHOWN = 5
LEAST_PERCENT = 90


def main(report: Path) -> None:
    """Print the files that lack most, and the total."""
    files = {
        Path(entry["filename"]).name: entry["summary"]["lines"]
        for entry in json.loads(report.read_bytes())["data"][0]["files"]
        if "/Sources/MobiRuntime/" in entry["filename"]
    }
    if not files:
        sys.exit(f"{report} tells nothing of MobiRuntime")
    covered, count = (sum(lines[key] for lines in files.values()) for key in ("covered", "count"))
    for name, lines in sorted(files.items(), key=lambda item: item[1]["covered"] - item[1]["count"])[:SHOWN]:
        print(f"{lines['percent']:6.1f} %  {name}, {lines['count'] - lines['covered']} lines not run")
    print(f"{100 * covered / count:6.1f} %  of {count} lines of MobiRuntime, at least {LEAST_PERCENT} % wanted")
    if 100 * covered < LEAST_PERCENT * count:
        sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
