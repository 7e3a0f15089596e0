"""The command line: one file per command."""

from mfrec.cli.main import main

__all__ = ["main"]
