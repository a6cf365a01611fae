"""The `mobisdk` program: its commands, and how errors and signals become one line and an exit status."""

import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import mobisdk
from mobisdk.cli import (
    analyze,
    bench,
    choose,
    classify,
    compare,
    compress,
    doctor,
    evaluate,
    export,
    logs,
    models,
    predict,
    quickstart,
    runs,
    serve,
    simulate_phones,
    sweep,
    train,
    verify,
    weights,
)
from mobisdk.errors import MobiError
from mobisdk.stopping import hear_signals

_DEBUG = "--debug"


class _Program(TyperGroup):
    """Turns what a command raises into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command: a MobiError or a refusal of the operating system exits with 1, Ctrl-C with 130."""
        try:
            return super().invoke(ctx)
        except MobiError as error:
            _fail(f"Error: {error}", ctx)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            _fail(f"Error: {error.strerror or error}: {error.filename or 'no file is named'}", ctx)
        except KeyboardInterrupt:
            _fail("Stopped; nothing was left half-written.", ctx, status=130)


def _fail(sentence: str, ctx: Any, status: int = 1) -> NoReturn:
    if ctx.obj and status == 1:
        import traceback

        traceback.print_exc()
    print(sentence, file=sys.stderr)
    raise typer.Exit(status)


app = typer.Typer(
    name="mobisdk",
    cls=_Program,
    help="Pick, train, shrink, ship and measure the smallest vision network that meets a phone's budget.",
    epilog="Start with `mobisdk quickstart`: the whole loop on this computer, in about a minute.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help starts three times as fast
    pretty_exceptions_enable=False,
)
app.command()(quickstart.quickstart)
app.command()(doctor.doctor)
app.add_typer(models.models_app, name="models")
app.add_typer(weights.weights_app, name="weights")
app.command()(train.train)
app.command()(sweep.sweep)
app.add_typer(runs.runs_app, name="runs")
app.command()(compress.compress)
app.command()(export.export)
app.command()(verify.verify)
app.command()(evaluate.evaluate)
app.command()(classify.classify)
app.command()(bench.bench)
app.add_typer(serve.serve_app, name="serve")
app.add_typer(logs.logs_app, name="logs")
app.command("simulate-phones")(simulate_phones.simulate_phones)
app.command()(analyze.analyze)
app.command()(compare.compare)
app.command()(predict.predict)
app.command()(choose.choose)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mobisdk {mobisdk.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show the trace of an error; also after a command.")] = False,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    ctx.obj = debug


def main() -> None:
    """Run the program; `--debug` is taken anywhere on the line."""
    hear_signals()
    # Before torch is imported: its threads wait for each other hundreds of times a step, and where they spin
    # meanwhile, a computer that runs anything else trains and exports many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = sys.argv[1:]
    if _DEBUG in arguments:
        arguments = [_DEBUG, *(argument for argument in arguments if argument != _DEBUG)]
    app(arguments, prog_name="mobisdk")
