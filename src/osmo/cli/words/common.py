"""What several commands have in common: how one is made, options and kinds of values."""

import argparse
from collections.abc import Callable
from typing import Any

from osmo.cli.examples import EXAMPLES

Command = Callable[[argparse.Namespace], int]


def below(parser: argparse.ArgumentParser, help_: Command) -> Any:
    parser.set_defaults(command=help_, parser=parser)
    return parser.add_subparsers(metavar="COMMAND", title="commands")


def add_command(commands: Any, name: str, module: str, function: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(command=_late(module, function))
    if (example := EXAMPLES.get(parser.prog)) is not None:
        parser.epilog = f"Example: {example}"
    return parser


def _late(module: str, function: str) -> Command:
    """The command that `function` of `osmo.cli.<module>` is."""

    def command(args: argparse.Namespace) -> int:
        from importlib import import_module

        result: int = getattr(import_module(f"osmo.cli.{module}"), function)(args)
        return result

    return command


def formats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="print JSON")
    parser.add_argument("-t", "--format-type", choices=("text", "json"), dest="format", help="text or json")


def run_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow's id, as submit printed it")


def run_ids(parser: argparse.ArgumentParser, how_many: str) -> None:
    parser.add_argument("ids", metavar="ID", nargs=how_many, help="a workflow's id, as submit printed it")


def url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the url of a task's `checkpoint:`")


def stream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", metavar="STREAM", dest="stream", help="whose, if the url holds several: TASK.FOLDER")


def waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="return when it is in the store; exit 1 if it is not")
    parser.add_argument("--timeout", metavar="DURATION", help="wait no longer than that")
    formats(parser)


def bandwidth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-bandwidth", metavar="RATE", help="for all uploads together: 200MiB/s (no limit)")


def count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines or rows")
    return int(text)


def number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a checkpoint")
    return int(text)


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of checkpoints: 1 or more")
    return int(text)


def day(text: str) -> str:
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write YYYY-MM-DD") from None
