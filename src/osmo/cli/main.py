"""The command `osmo`. What a subcommand needs is imported when it runs: `osmo --help` is quick."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from osmo.errors import OsmoError, SpecError, UsageError

OK, FAILED, BAD_INPUT, INTERRUPTED, CANCELLED = 0, 1, 2, 3, 4

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 completed, 1 failed, 2 bad input, 3 interrupted, 4 cancelled."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command. Returns what to exit with."""
    args = _parser().parse_args(argv)
    command: Command = args.command
    try:
        code = command(args)
        sys.stdout.flush()
    except SpecError as error:
        _complain(*error.problems)
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
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _complain(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def close_stdout() -> None:
    """Nobody reads it any more. Python would complain about that once more when it flushes at its end."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _late(module: str, function: str) -> Command:
    """The command that `function` of `osmo.cli.<module>` is."""

    def command(args: argparse.Namespace) -> int:
        from importlib import import_module

        result: int = getattr(import_module(f"osmo.cli.{module}"), function)(args)
        return result

    return command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="osmo", description="Runs workflows and keeps their tasks' data safe.", allow_abbrev=False
    )
    modules = _commands(parser)
    workflow = modules.add_parser("workflow", help="submit, watch and end workflows", allow_abbrev=False)
    _workflow(_commands(workflow))
    settings = modules.add_parser("settings", help="every setting, its value, and where that came from")
    _formats(settings)
    settings.set_defaults(command=_late("show", "settings"))
    version = modules.add_parser("version", help="the version of osmo")
    _formats(version)
    version.set_defaults(command=_late("show", "version"))
    return parser


def _workflow(commands: Any) -> None:
    submit = _command(commands, "submit", "submit", "submit", "start a workflow")
    submit.add_argument("file", metavar="FILE", help="the workflow spec (YAML)")
    looking = submit.add_mutually_exclusive_group()
    looking.add_argument("--follow", action="store_true", help="show the log until the workflow ends")
    looking.add_argument(
        "--foreground", action="store_true", help="run it in this process: for Slurm scripts and containers"
    )
    submit.add_argument("--no-check", action="store_true", help="do not ask the data stores first")
    submit.add_argument(
        "--grace", metavar="DURATION", help="between TERM and KILL; on preemption, for everything (25s)"
    )
    submit.add_argument("--spot", choices=("auto", "off"), help="ask the cloud for a termination notice (auto)")
    _formats(submit)

    validate = _command(commands, "validate", "submit", "validate", "say what is wrong with a spec, run nothing")
    validate.add_argument("file", metavar="FILE", help="the workflow spec (YAML)")
    _formats(validate)

    logs = _command(commands, "logs", "watch", "logs", "show what the tasks print, and their checkpoints")
    _run_id(logs)
    logs.add_argument("-t", "--task", help="only this task's lines")
    logs.add_argument("-n", "--last-n-lines", type=_count, metavar="N", help="begin with the last N lines")
    logs.add_argument("--no-follow", action="store_true", help="end with what is there now")

    query = _command(commands, "query", "show", "query", "show a workflow's tasks and checkpoints")
    _run_id(query)
    query.add_argument("-v", "--verbose", action="store_true", help="more of everything")
    _formats(query)

    listing = _command(commands, "list", "show", "list_runs", "list the workflows of this machine")
    listing.add_argument("-c", "--count", type=_count, default=20, help="at most so many (20)")
    _formats(listing)

    cancel = _command(commands, "cancel", "end", "cancel", "end workflows; their last checkpoints are made")
    cancel.add_argument("ids", metavar="ID", nargs="+")
    _formats(cancel)

    wait = _command(commands, "wait", "watch", "wait", "wait until a workflow ends; the exit code says how")
    _run_id(wait)


def _commands(parser: argparse.ArgumentParser) -> Any:
    parser.set_defaults(command=lambda _args: _help(parser))
    return parser.add_subparsers(metavar="COMMAND", title="commands")


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help(sys.stderr)
    return BAD_INPUT


def _command(commands: Any, name: str, module: str, function: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(command=_late(module, function))
    return parser


def _run_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow's id, as submit printed it")


def _formats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="print JSON")
    parser.add_argument("-t", "--format-type", choices=("text", "json"), dest="format", help="text or json")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines or rows")
    return int(text)
