"""The command line: one command a file; the only code that prints, exits, or imports mobiconvert (where used)."""

from mobisdk.cli.app import main

__all__ = ["main"]
