"""`mobisdk serve`, and `mobisdk serve tokens`."""

import contextlib
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobisdk.cli.console import Json, print_json, say, stdout

if TYPE_CHECKING:
    from mobisdk.server.certificate import Certificate
    from mobisdk.server.link import Address
    from mobisdk.server.store.engine import Store

LAB = Path("lab")
StoreOption = Annotated[str, typer.Option(help="An SQLite file, or postgresql://USER@HOST/DATABASE.", metavar="URL")]
DEFAULT_STORE = str(LAB / "runs.db")

serve_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@serve_app.callback()
def serve(
    context: typer.Context,
    bundles: Annotated[Path, typer.Option(help="Folder of the bundles.")] = Path("bundles"),
    store: StoreOption = DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets phones in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate as PEM, with --tls-key.", metavar="FILE")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key as PEM.", metavar="FILE")] = None,
    advertise: Annotated[bool, typer.Option(help="Announce the server in the network, so that apps find it.")] = False,
    accuracy: Annotated[
        list[Path] | None,
        typer.Option(
            "--accuracy", help="What `evaluate --json` printed, for the page; may be repeated.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Serve bundles to phones, and draw what they measure."""
    if context.invoked_subcommand is not None:
        return
    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together")
    from mobisdk.report.accuracy import read_accuracies
    from mobisdk.report.printable import printable
    from mobisdk.server.advertise import advertised
    from mobisdk.server.app import create_app
    from mobisdk.server.lab import close_lab, open_lab, warm_up
    from mobisdk.server.link import Address
    from mobisdk.server.listen import bind, create_server
    from mobisdk.server.request_log import open_log
    from mobisdk.server.store.engine import open_store, shown_url

    with bind(host, port) as listener:
        certificate = _find_certificate(host, tls_cert, tls_key)
        opened = open_store(store)
        named = certificate.names if certificate and tls_cert else ()
        reached = named[0] if named else _reachable(host)
        address = Address(reached, listener.getsockname()[1], certificate.sha256 if certificate else None)

        def welcome(name: str) -> None:
            say(f"{printable(name)} joined. For the next phone:")
            _show_code(opened, address)

        def tell() -> None:
            threading.Thread(target=warm_up, args=(lab,), daemon=True).start()
            _show_code(opened, address)
            say(f"Bundles: {bundles}; runs: {shown_url(store)}; requests: {LAB / 'requests.jsonl'}. Ctrl-C stops.")
            if sys.stdin is not None and sys.stdin.isatty():
                say("Enter shows a new code.")
                _on_enter(lambda: _show_code(opened, address))

        LAB.mkdir(exist_ok=True)
        lab = open_lab(opened, bundles, address, accuracies=read_accuracies(accuracy or []), on_joined=welcome)
        announced = advertised(address) if advertise else contextlib.nullcontext()
        try:
            app = create_app(lab, open_log(LAB / "requests.jsonl"), named)
            with announced:
                create_server(app, certificate, lab.limits, tell, lab.stopping.set).run([listener])
        finally:
            close_lab(lab)


@serve_app.command()
def tokens(
    store: StoreOption = DEFAULT_STORE,
    create: Annotated[str | None, typer.Option(help="Make a token for a program, called NAME.", metavar="NAME")] = None,
    rights: Annotated[str, typer.Option(help="What it may: read, write, manage.", metavar="LIST")] = "read",
    revoke: Annotated[str | None, typer.Option(help="Make a token worthless.", metavar="ID")] = None,
    json: Json = False,
) -> None:
    """List the tokens of phones, pages and programs; make one, or revoke one."""
    from mobisdk.errors import ConfigError
    from mobisdk.server.store.engine import open_store
    from mobisdk.server.tokens import create_token, list_tokens, revoke_token

    wanted = [right.strip() for right in rights.split(",")]
    if not set(wanted) <= {"read", "write", "manage"}:
        raise ConfigError("--rights is wrong", got=rights, allowed="read, write, manage, separated by commas")
    opened = open_store(store, create=False)
    try:
        if create is not None:
            secret, _ = create_token(opened, create, wanted)  # type: ignore[arg-type]
            say("The token is shown this once:")
            print_json({"token": secret}) if json else print(secret)
            return
        if revoke is not None:
            revoke_token(opened, revoke)
        _print_tokens(list_tokens(opened), json)
    finally:
        opened.close()


def _print_tokens(found: Any, json: bool) -> None:
    from datetime import datetime

    if json:
        names = ("token_id", "kind", "name", "rights", "created_at")
        print_json([{name: getattr(token, name) for name in names} for token in found])
        return
    from rich.table import Table
    from rich.text import Text

    from mobisdk.report.printable import printable

    table = Table("id", "kind", "name", "rights", "since", box=None)
    for token in found:
        since = datetime.fromtimestamp(token.created_at / 1000).astimezone()
        name = Text(printable(token.name))
        table.add_row(token.token_id, token.kind, name, " ".join(token.rights), f"{since:%Y-%m-%d %H:%M}")
    stdout().print(table)


def _find_certificate(host: str, cert: Path | None, key: Path | None) -> "Certificate | None":
    """Use the user's certificate; without one, and off loopback, one of our own."""
    from mobisdk.server.certificate import keep_certificate, read_certificate
    from mobisdk.server.link import is_loopback

    if cert is not None and key is not None:
        return read_certificate(cert, key)
    if is_loopback(host):
        return None
    return keep_certificate(LAB, [_reachable(host), socket.gethostname(), "localhost", "127.0.0.1"])


def _show_code(store: "Store", address: "Address") -> None:
    from mobisdk.server.link import draw_qr, make_link
    from mobisdk.server.tokens import create_code

    code = create_code(store, ("read", "write", "manage"))
    link = make_link(address, code)
    say(f"{draw_qr(link)}\nScan this with MobiBench: {link}\nOr open the page: {address.url}/#code={code}")


def _on_enter(show: Any) -> None:
    import asyncio

    def read() -> None:
        if sys.stdin.readline():
            show()
        else:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), read)


def _reachable(host: str) -> str:
    """Return the address that a phone in the same network reaches, where the server listens on all of them."""
    if host not in ("0.0.0.0", "::"):  # noqa: S104
        return host
    family, outside = (socket.AF_INET6, "2001:db8::1") if host == "::" else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((outside, 9))  # sends nothing: it asks which of the own addresses leads outside
        except OSError:
            return "localhost"
        return str(probe.getsockname()[0])
