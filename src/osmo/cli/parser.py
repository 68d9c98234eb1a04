"""The command line as a whole. Building it is quick: `osmo --help` imports nothing else."""

import argparse
from collections.abc import Sequence

from osmo import __version__
from osmo.cli.examples import EXAMPLES
from osmo.cli.words.checkpoint import checkpoint
from osmo.cli.words.common import Command, add_command, below, formats
from osmo.cli.words.data import credential, data
from osmo.cli.words.workflow import ending, looking, starting

_FIRST = {
    "osmo workflow submit": "run a workflow, and look on",
    "osmo checkpoint run": "run any command with checkpoints, without a workflow",
    "osmo checkpoint list": "see what a url holds",
    "osmo checkpoint restore": "bring a checkpoint back",
}


def build(help_: Command) -> argparse.ArgumentParser:
    """The whole command line. A namespace that it parsed has `command`, to be called with it.

    help_: the command for a word that wants another one behind it; its namespace has `parser`.
    """
    parser = argparse.ArgumentParser(
        prog="osmo",
        description="Runs workflows and keeps their tasks' data safe.",
        epilog=_examples(),
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=16),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"osmo {__version__}", help="print the version of osmo")
    modules = below(parser, help_)
    workflow = modules.add_parser("workflow", help="submit, watch and end workflows", allow_abbrev=False)
    commands = below(workflow, help_)
    starting(commands)
    looking(commands)
    ending(commands)
    checkpoint(
        below(
            modules.add_parser(
                "checkpoint", help="run any command with checkpoints; see and bring back what a url holds"
            ),
            help_,
        )
    )
    data(below(modules.add_parser("data", help="files to a url and back", allow_abbrev=False), help_))
    credential(
        below(modules.add_parser("credential", help="keep credentials of data stores", allow_abbrev=False), help_)
    )
    settings = add_command(
        modules, "settings", "show", "settings", "every setting, its value, and where that came from"
    )
    formats(settings)
    version = add_command(modules, "version", "show", "version", "the version of osmo")
    formats(version)
    completion = add_command(
        modules, "completion", "completion", "completion", "print a script that completes osmo's words in a shell"
    )
    completion.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")
    return parser


def _examples() -> str:
    lines = (f"  {what}\n    {EXAMPLES[command]}" for command, what in _FIRST.items())
    return "\n".join(["the first things to know:", *lines])


def split(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """What is ours to parse, and the command that `checkpoint run` is to run: all behind the first `--`, whatever it
    looks like. None if there is no `--`: then all behind the options is no business of argparse either."""
    if list(argv[:2]) != ["checkpoint", "run"]:
        return list(argv), None
    if "--" in argv:
        at = argv.index("--")
        return list(argv[:at]), list(argv[at + 1 :])
    if {"-h", "--help"} & set(argv):
        return ["checkpoint", "run", "--help"], None
    return ["checkpoint", "run"], None
