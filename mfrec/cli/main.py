"""The command line: a table of commands, each imported only when it is called."""

import logging
import sys
from importlib import import_module
from typing import Any

import click

from mfrec.cli.text import one_line, program
from mfrec.errors import MfrecError, why_not_written

# name: (where the command lives, its line in the overview), so that the overview imports nothing
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("mfrec.cli.demo:demo", "Fit MovieLens 100K, or the built-in sample, and show the four directions."),
    "download": ("mfrec.cli.download:download", "Fetch a MovieLens release, checked and whole."),
    "inspect": ("mfrec.cli.inspect:inspect", "Look at a table: what it holds, what is wrong, how to fit it."),
    "fit": ("mfrec.cli.fit:fit", "Fit a model on a MovieLens release or on your own table."),
    "evaluate": ("mfrec.cli.evaluate:evaluate", "Measure all four directions on a held-out part."),
    "tune": ("mfrec.cli.tune:tune", "Search for the best parameters, and fit with them."),
    "recommend": ("mfrec.cli.recommend:recommend", "Ask a saved model in one of the four directions."),
    "popular": ("mfrec.cli.popular:popular", "List the most popular items or the most active users of late."),
    "segments": ("mfrec.cli.segments:segments", "Put the items or the users of a model into segments."),
    "lookalikes": ("mfrec.cli.lookalikes:lookalikes", "Find the users or items most like a group of seeds."),
    "export": ("mfrec.cli.export:export", "Answer a direction for every id and write the answers to a file."),
    "allocate": ("mfrec.cli.allocate:allocate", "Offer items of limited stock to users, at the highest total score."),
    "check": ("mfrec.cli.check:check", "Say whether a model personalises, and what its lists look like."),
    "verify": ("mfrec.cli.verify:verify", "Check a model folder to the last value."),
    "serve": ("mfrec.cli.serve:serve", "Answer over HTTP, with an explorer for people."),
    "publish": ("mfrec.cli.publish:publish", "Put a verified model into a store as its new version."),
    "rollback": ("mfrec.cli.rollback:rollback", "Serve an earlier version of a store again."),
    "doctor": ("mfrec.cli.doctor:doctor", "Check this machine: versions, annoy, threads."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(package_name="mfrec")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Four directions of recommendation from one ALS model.

    Start with `mfrec demo`.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="mfrec: %(message)s")
    try:
        result: Any = cli.main(args, prog_name="mfrec", standalone_mode=False)
    except click.exceptions.Abort:
        _stop("stopped", 130)
    except click.ClickException as error:
        _stop(" ".join(error.format_message().split()) + _about_ids(error), 2)
    except (KeyboardInterrupt, MfrecError) as error:
        _stop(str(error) or "stopped", 2 if isinstance(error, MfrecError) else 130)
    except BrokenPipeError:
        # the reader of our output, such as `head`, has gone; say nothing, not even at interpreter exit
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _stop(f"{where}{why_not_written(error) if error.errno else error}", 2)
    sys.exit(result if isinstance(result, int) else 0)


def _about_ids(error: click.ClickException) -> str:
    """Return what to do where an id may have been taken for an option."""
    command = error.ctx.command if isinstance(error, click.NoSuchOption) and error.ctx else None
    if command is None or all(parameter.name != "ids" for parameter in command.params):
        return ""
    return f" An id that begins with - goes to the end, after --: {program()} recommend FOLDER DIRECTION -- ID"


def _stop(message: str, code: int) -> None:
    # what a message says to run can be pasted
    message = message.replace("`mfrec ", f"`{program()} ")
    click.echo(f"mfrec: {one_line(message)}", err=True)
    sys.exit(code)
