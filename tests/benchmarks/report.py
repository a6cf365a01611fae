"""How a benchmark tells how far it is, and puts its table into a document."""

import sys
from pathlib import Path


def tell(line: str) -> None:
    """How far it is."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def put_table(document: Path, name: str, table: str) -> None:
    """Replace what stands between the comments `name begins` and `name ends`."""
    begin, end = f"<!-- {name} begins -->", f"<!-- {name} ends -->"
    before, rest = document.read_text(encoding="utf-8").split(begin)
    document.write_text(f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}", encoding="utf-8")
