"""`mobisdk logs pull`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobisdk.cli.console import Json, print_json, say
from mobisdk.cli.serve import DEFAULT_STORE

if TYPE_CHECKING:
    from mobisdk.latency.store import LogSet
    from mobisdk.server.store.writer import Written

_REASONS_SHOWN = 3
_BATCH = 500


def pull(
    android: Annotated[bool, typer.Option("--android", help="From an Android phone, with adb.")] = False,
    ios: Annotated[bool, typer.Option("--ios", help="From an iPhone, with Xcode's devicectl.")] = False,
    device: Annotated[str | None, typer.Option(help="Which, where several are connected.", metavar="ID")] = None,
    app: Annotated[str | None, typer.Option(help="The app's identifier, where it is not ours.", metavar="ID")] = None,
    store: Annotated[str, typer.Option(help="Where runs go: a lab server's store.", metavar="URL")] = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Copy the app's log from a phone by cable, check it, and add what is new to the store."""
    import tempfile

    from mobisdk.devices.phone_logs import ANDROID_APP, IOS_APP, pull_android_log, pull_ios_log
    from mobisdk.latency.store import read_logs
    from mobisdk.report.printable import printable
    from mobisdk.server.store.engine import shown_url

    if android == ios:
        raise typer.BadParameter("choose --android or --ios")
    with tempfile.TemporaryDirectory(prefix="mobisdk-") as folder:
        log = Path(folder) / "latency.jsonl"
        if android:
            phone = pull_android_log(log, device=device, app=app or ANDROID_APP)
        else:
            phone = pull_ios_log(log, device=device, app=app or IOS_APP)
        found = read_logs([log])
        written = _import(found, store)
    set_aside = [(line.line, line.reason) for line in found.set_aside]
    refused = sorted(written.rejected.values())
    if json:
        print_json(
            {
                "device": phone,
                "new": written.accepted,
                "known": written.duplicates + found.duplicates,
                "refused": refused,
                "set_aside": [{"line": line, "reason": reason} for line, reason in set_aside],
            }
        )
        return
    known = written.duplicates + found.duplicates
    say(f"{printable(phone)}: {written.accepted} new runs, {known} known already, in {shown_url(store)}")
    for reason in refused[:_REASONS_SHOWN]:
        say(f"  refused: {printable(reason)}")
    if set_aside:
        say(f"{len(set_aside)} line{'s' * (len(set_aside) > 1)} set aside:")
    for line, reason in set_aside[:_REASONS_SHOWN]:
        say(f"  line {line}: {printable(reason)}")


def _import(found: "LogSet", location: str) -> "Written":
    """Add runs to the store, in batches; the answer is of all of them together."""
    from mobisdk.latency.log import to_json_line
    from mobisdk.server.store.engine import open_store
    from mobisdk.server.store.incoming import read_line
    from mobisdk.server.store.writer import RunWriter, Written

    store = open_store(location)
    writer = RunWriter(store)
    try:
        parts = [Written(0, 0, {})]
        for first in range(0, len(found.runs), _BATCH):
            batch = found.runs[first : first + _BATCH]
            incoming = [read_line(first + n, to_json_line(run).encode()) for n, run in enumerate(batch, start=1)]
            parts.append(writer.submit("cable", incoming).result())
    finally:
        writer.close()
        store.close()
    rejected = {number: reason for part in parts for number, reason in part.rejected.items()}
    return Written(sum(part.accepted for part in parts), sum(part.duplicates for part in parts), rejected)
