"""The command `osmo`. What a subcommand needs is imported when it runs: `osmo --help` is quick."""

import argparse
import sys
from collections.abc import Sequence

from osmo.cli.parser import build, split
from osmo.cli.words.common import Command
from osmo.errors import OsmoError, SpecError, UsageError

OK, FAILED, BAD_INPUT, INTERRUPTED, CANCELLED = 0, 1, 2, 3, 4


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 completed, 1 failed, 2 bad input, 3 interrupted, 4 cancelled."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command. Returns what to exit with."""
    ours, rest = split(argv)
    args = build(_help).parse_args(ours, argparse.Namespace(rest=rest))
    command: Command = args.command
    try:
        code = command(args)
        sys.stdout.flush()
    except SpecError as error:
        _complain(*error.problems, *([f"      {error.hint}"] if error.hint else []))
        return BAD_INPUT
    except OsmoError as error:
        _complain(f"osmo: {error}", *([f"      {error.hint}"] if error.hint else []))
        return BAD_INPUT if isinstance(error, UsageError) else FAILED
    except BrokenPipeError:  # `osmo workflow logs ID | head`
        close_stdout()
        return OK
    except OSError as error:  # a full disk, a folder that is not ours
        _complain(f"osmo: {error}")
        return FAILED
    except MemoryError:
        _complain("osmo: there is not enough memory for this")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _complain(*texts: str) -> None:
    """Messages may tell what a store or a folder said: nothing of it reaches the terminal as a command."""
    from osmo.cli.output import plain

    for text in texts:
        print(*map(plain, text.split("\n")), sep="\n", file=sys.stderr)


def close_stdout() -> None:
    """Nobody reads it any more. Python would complain about that once more when it flushes at its end."""
    close(sys.stdout.fileno())


def close(*numbers: int) -> None:
    """What is written there from now on goes nowhere."""
    import os

    for number in numbers:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _help(args: argparse.Namespace) -> int:
    args.parser.print_help(sys.stderr)
    return BAD_INPUT
