"""`osmo completion`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from osmo.cli.main import OK
from osmo.cli.parser import build

_IDS = "osmo workflow list --quiet --count 200 2>/dev/null"


def completion(args: argparse.Namespace) -> int:
    """Print a script for the shell. It knows all words, and asks `osmo workflow list` for ids."""
    import shtab

    parser = build(lambda _args: OK)
    if (name := Path(sys.argv[0]).name) == "osmo-workflow":
        parser.prog = name
    for action in _actions(parser):
        if action.dest in ("id", "ids"):
            action.complete = shtab.cmd(_IDS.replace("osmo", parser.prog, 1))  # type: ignore[attr-defined]
        elif action.dest == "file":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, args.shell))
    return OK


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
