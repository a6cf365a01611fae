"""What a process counts, in Prometheus's text format. Source: Prometheus, exposition formats, version 0.0.4."""

import bisect
import threading
from collections import Counter
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds."""


class Metrics:
    """Counters of one server process since it started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._lines: Counter[str] = Counter()
        self._upload_buckets = [0] * (len(_BOUNDS) + 1)
        self._upload_seconds = 0.0

    def count_request(self, method: str, status: int) -> None:
        """Count a request by what it was answered with."""
        with self._lock:
            self._requests[method if method in _METHODS else "other", status] += 1

    def count_upload(self, accepted: int, duplicates: int, rejected: int, seconds: float) -> None:
        """Count the lines of an upload, and how long it took from its headers to its acknowledgement."""
        with self._lock:
            self._lines.update(accepted=accepted, duplicate=duplicates, rejected=rejected)
            self._upload_buckets[bisect.bisect_left(_BOUNDS, seconds)] += 1
            self._upload_seconds += seconds

    def write(self, waiting_runs: int) -> str:
        """Write them all; `waiting_runs` is how many runs wait for their commit now."""
        with self._lock:
            lines = [*_head("mobisdk_http_requests_total", "counter", "Requests by method and status.")]
            for (method, status), count in sorted(self._requests.items()):
                lines.append(f'mobisdk_http_requests_total{{method="{method}",status="{status}"}} {count}')
            lines += _head("mobisdk_uploaded_lines_total", "counter", "Lines of uploads by what became of them.")
            for outcome in ("accepted", "duplicate", "rejected"):
                lines.append(f'mobisdk_uploaded_lines_total{{outcome="{outcome}"}} {self._lines[outcome]}')
            lines += _head("mobisdk_waiting_runs", "gauge", "Runs that wait for their commit.")
            lines.append(f"mobisdk_waiting_runs {waiting_runs}")
            name = "mobisdk_upload_seconds"
            lines += _head(name, "histogram", "From an upload's headers to its acknowledgement.")
            total = 0
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self._upload_buckets, strict=True):
                total += count
                lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
            lines += [f"{name}_sum {self._upload_seconds:.6f}", f"{name}_count {total}"]
        return "\n".join(lines) + "\n"


_METHODS = ("GET", "HEAD", "POST", "DELETE")


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
