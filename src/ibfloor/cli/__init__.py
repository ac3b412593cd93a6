"""The command line: parse, call, print. One file per group of commands."""

from ibfloor.cli.entry import main

__all__ = ["main"]
