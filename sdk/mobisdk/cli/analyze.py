"""`mobisdk analyze`."""


def analyze() -> None:
    """Percentiles with confidence intervals from latency logs."""
