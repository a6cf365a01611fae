"""The header `Range`, as far as a download that goes on needs it. Source: RFC 9110, section 14."""

import re

from mobisdk.server.problems import ProblemError

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def parse_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return the first byte and the last, or null where the whole file is the answer: another unit, several ranges.

    Raises:
        ProblemError: 416, the file ends before the range begins.
    """
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size_bytes - int(last)), size_bytes - 1
        satisfiable = int(last) > 0 and size_bytes > 0
    else:
        start, end = int(first), min(int(last), size_bytes - 1) if last else size_bytes - 1
        if last and int(last) < int(first):
            return None
        satisfiable = start < size_bytes
    if not satisfiable:
        raise ProblemError(416, f"The file has {size_bytes} bytes.", headers={"Content-Range": f"bytes */{size_bytes}"})
    return start, end
