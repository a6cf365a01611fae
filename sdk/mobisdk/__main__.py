"""`python -m mobisdk` is the `mobisdk` program."""

from mobisdk.cli import main

main()
