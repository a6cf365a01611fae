"""`mobisdk serve`."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from mobisdk.cli.console import say

serve_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@serve_app.callback()
def serve(
    context: typer.Context,
    bundles: Annotated[Path, typer.Option(help="Folder of the bundles.")] = Path("bundles"),
    store: Annotated[
        str, typer.Option(help="An SQLite file, or postgresql://USER@HOST/DATABASE.", metavar="URL")
    ] = "lab/runs.db",
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets phones in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate as PEM, with --tls-key.", metavar="FILE")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key as PEM.", metavar="FILE")] = None,
) -> None:
    """Bundles to phones, logs from phones, and a live page between them."""
    if context.invoked_subcommand is not None:
        return
    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together")
    from mobisdk.server.app import create_app
    from mobisdk.server.certificate import keep_certificate, read_certificate
    from mobisdk.server.lab import close_lab, open_lab
    from mobisdk.server.link import Address, draw_qr, is_loopback, make_link
    from mobisdk.server.listen import bind, create_server
    from mobisdk.server.store.engine import open_store, shown_url
    from mobisdk.server.tokens import create_code

    listener = bind(host, port)
    reached = reachable_host(host)
    certificate = None
    if tls_cert is not None and tls_key is not None:
        certificate = read_certificate(tls_cert, tls_key)
    elif not is_loopback(host):
        certificate = keep_certificate(Path("lab"), [reached, socket.gethostname(), "localhost", "127.0.0.1"])
    address = Address(reached, listener.getsockname()[1], certificate.sha256 if certificate else None)
    opened = open_store(store)
    lab = open_lab(opened, bundles, address)

    def tell() -> None:
        code = create_code(opened, ("read", "write", "manage"))
        link = make_link(address, code)
        say(draw_qr(link))
        say(f"Scan this with MobiBench, or open {link}")
        say(f"Page: {address.url}/#code={code}")
        say(f"Bundles: {bundles}; runs: {shown_url(store)}. Ctrl-C stops.")

    try:
        create_server(create_app(lab), certificate, lab.limits, tell).run([listener])
    finally:
        close_lab(lab)


def reachable_host(host: str) -> str:
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
