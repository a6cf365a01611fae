"""`mobisdk simulate-phones`."""

import threading
from typing import Annotated

import typer

from mobisdk.cli.console import Json, print_json


def simulate_phones(
    phones: Annotated[int, typer.Argument(min=1, max=1000, help="How many at once.", metavar="N")],
    link: Annotated[str, typer.Argument(help="The mobisdk:// link that `mobisdk serve` shows.")],
    runs: Annotated[int, typer.Option(min=1, help="Runs that each phone sends.")] = 20,
    batch: Annotated[int, typer.Option(min=1, max=1000, help="Runs in one upload.")] = 5,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between a phone's uploads.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the random latencies.")] = 0,
    json: Json = False,
) -> None:
    """Send a lab server the runs of phones that are none.

    For demos and load tests: plausible runs of the server's own bundles.
    """
    import numpy as np

    from mobisdk.server.client import LabClient
    from mobisdk.server.link import parse_link
    from mobisdk.server.simulation import simulate

    address, code = parse_link(link)
    with LabClient.join(address, code, "simulate-phones") as client:
        tally = simulate(client, phones, runs=runs, batch=batch, pause_s=pause, seed=seed, stop=threading.Event())
    median, p99 = (1000 * float(np.quantile(tally.ack_seconds, q)) for q in (0.5, 0.99))
    if json:
        counts = {name: getattr(tally, name) for name in ("accepted", "duplicates", "rejected")}
        print_json({"phones": phones, **counts, "ack_p50_ms": median, "ack_p99_ms": p99})
    else:
        print(
            f"{tally.accepted:,} runs accepted, {tally.duplicates:,} duplicates, {tally.rejected:,} rejected; "
            f"acknowledged in {median:.0f} ms (p50), {p99:.0f} ms (p99)"
        )
