"""The words of the command line. Building them is quick: `osmo --help` imports nothing else."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from osmo.cli.examples import EXAMPLES
from osmo.states import State

Command = Callable[[argparse.Namespace], int]


def build(help_: Command) -> argparse.ArgumentParser:
    """The whole command line. A namespace that it parsed has `command`, to be called with it.

    help_: the command for a word that wants another one behind it; its namespace has `parser`.
    """
    parser = argparse.ArgumentParser(
        prog="osmo", description="Runs workflows and keeps their tasks' data safe.", allow_abbrev=False
    )
    modules = _commands(parser, help_)
    workflow = modules.add_parser("workflow", help="submit, watch and end workflows", allow_abbrev=False)
    commands = _commands(workflow, help_)
    _starting(commands)
    _looking(commands)
    _ending(commands)
    _checkpoint(_commands(modules.add_parser("checkpoint", help="look at and bring back what a url holds"), help_))
    _data(_commands(modules.add_parser("data", help="files to a url and back", allow_abbrev=False), help_))
    _credential(
        _commands(modules.add_parser("credential", help="keep credentials of data stores", allow_abbrev=False), help_)
    )
    settings = _command(modules, "settings", "show", "settings", "every setting, its value, and where that came from")
    _formats(settings)
    version = _command(modules, "version", "show", "version", "the version of osmo")
    _formats(version)
    completion = _command(
        modules, "completion", "completion", "completion", "print a script that completes osmo's words in a shell"
    )
    completion.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")
    return parser


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


def _starting(commands: Any) -> None:
    submit = _command(commands, "submit", "submit", "submit", "start a workflow")
    submit.add_argument("file", metavar="FILE", help="the workflow spec (YAML)")
    looking = submit.add_mutually_exclusive_group()
    looking.add_argument("--follow", action="store_true", help="show the log until the workflow ends")
    looking.add_argument(
        "--foreground", action="store_true", help="run it in this process: for Slurm scripts and containers"
    )
    _template(submit)
    submit.add_argument(
        "--set-env", nargs="+", action="extend", default=[], metavar="NAME=VALUE",
        help="a variable in every task's environment, before the spec's own",
    )  # fmt: skip
    submit.add_argument("--priority", choices=("HIGH", "NORMAL", "LOW"), help="for OSMO; not applied here")
    submit.add_argument("--dry-run", action="store_true", help="print the spec with its variables set, run nothing")
    submit.add_argument("--restore", action="store_true", help="begin with the newest checkpoints, into empty paths")
    submit.add_argument("--restore-timeout", metavar="DURATION", help="wait so long for a store that is silent (30m)")
    submit.add_argument("--keep", type=_at_least_one, metavar="N", help="checkpoints that stay restorable (1)")
    submit.add_argument(
        "--max-retries", metavar="N", help="how often a task is tried again that an exit action reschedules (3)"
    )
    submit.add_argument("--no-check", action="store_true", help="do not ask the data stores first")
    submit.add_argument("--grace", metavar="DURATION", help="from TERM to KILL; on preemption, for everything (25s)")
    _bandwidth(submit)
    submit.add_argument("--spot", choices=("auto", "off"), help="ask the cloud for a termination notice (auto)")
    submit.add_argument(
        "--runtime", choices=("auto", "process", "sandbox"), help="run tasks in a sandbox: those with an image (auto)"
    )
    _formats(submit)

    validate = _command(commands, "validate", "submit", "validate", "say what is wrong with a spec, run nothing")
    validate.add_argument("file", metavar="FILE", help="the workflow spec (YAML)")
    _template(validate)
    _formats(validate)

    _command(commands, "schema", "schema", "schema", "print the JSON Schema of a spec, for editors")

    checkpoint = _command(commands, "checkpoint", "request", "workflow_checkpoint", "make checkpoints of its tasks now")
    _run_id(checkpoint)
    checkpoint.add_argument("--task", help="only of this task")
    _waiting(checkpoint)

    restart = _command(commands, "restart", "restart", "restart", "run again what has failed, from its checkpoints")
    _run_id(restart)
    _formats(restart)

    resume = _command(commands, "resume", "resume", "resume", "go on with workflows after a reboot")
    _run_ids(resume, "*")
    resume.add_argument("--all", action="store_true", help="all of this machine that are not over")
    _formats(resume)


def _template(parser: argparse.ArgumentParser) -> None:
    for option, text in (
        ("--set", "variables of the spec's template: numbers, or text"),
        ("--set-string", "the same, always text"),
    ):
        parser.add_argument(option, nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=text)
    parser.add_argument(
        "--label", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="labels, over the spec's own"
    )
    parser.add_argument("-p", "--pool", help="for OSMO; not applied here")


def _looking(commands: Any) -> None:
    logs = _command(commands, "logs", "watch", "logs", "show what the tasks print, and their checkpoints")
    _run_id(logs)
    logs.add_argument("-t", "--task", help="only this task's lines")
    logs.add_argument("-n", "--last-n-lines", type=_count, metavar="N", help="begin with the last N lines")
    logs.add_argument(
        "--since", metavar="WHEN", help="only lines since then: 10m ago, or 2026-11-23T18:30:00 (UTC, as the log)"
    )
    logs.add_argument("-r", "--retry-id", type=_count, metavar="N", help="only the Nth retry; 0 is the first attempt")
    logs.add_argument("--error", action="store_true", help="the last 100 lines of tasks that failed, and their agents'")
    logs.add_argument("--no-follow", action="store_true", help="end with what is there now")
    logs.add_argument("--json", action="store_true", help="print each line as a JSON object in a line of its own")

    query = _command(commands, "query", "query", "query", "show a workflow's tasks and checkpoints")
    _run_id(query)
    query.add_argument("-v", "--verbose", action="store_true", help="more of everything")
    _formats(query)

    check = _command(commands, "check", "check", "check", "exit with 1 if the last checkpoint is too old")
    _run_id(check)
    check.add_argument("--max-age", required=True, metavar="AGE", help="how old it may be: 30m, 2h, 1d")
    _formats(check)

    spec = _command(commands, "spec", "show", "spec", "print a workflow's spec as it runs")
    _run_id(spec)
    spec.add_argument("--template", action="store_true", help="as it was written, before its variables were set")
    _formats(spec)

    events = _command(commands, "events", "events", "events", "show what happened to a workflow, and when")
    _run_id(events)
    events.add_argument("-t", "--task", help="only to this task")
    events.add_argument(
        "-r", "--retry-id", type=_count, metavar="N", help="only in the Nth retry; 0: the first attempt"
    )
    events.add_argument("--json", action="store_true", help="print a JSON array")

    shell = _command(commands, "exec", "shell", "exec_", "run a program beside a task, with what the task has")
    _run_id(shell)
    shell.add_argument("task", metavar="TASK", help="the task's name")
    shell.add_argument("--entry", metavar="COMMAND", help="what to run (/bin/bash)")

    tag = _command(commands, "tag", "tags", "tag", "put words of your own on workflows, to find them by")
    tag.add_argument(*("-w", "--workflow"), nargs="+", required=True, metavar="ID", help="the workflows")
    tag.add_argument(*("-a", "--add"), nargs="+", default=[], metavar="TAG", help="put these on")
    tag.add_argument(*("-r", "--remove"), nargs="+", default=[], metavar="TAG", help="take these off")
    _formats(tag)

    _listing(_command(commands, "list", "listing", "list_runs", "list the workflows of this machine"))

    wait = _command(commands, "wait", "watch", "wait", "wait until a workflow ends; the exit code says how")
    _run_id(wait)
    _formats(wait)


def _listing(listing: argparse.ArgumentParser) -> None:
    listing.add_argument("-c", "--count", type=_count, default=20, metavar="N", help="at most so many (20)")
    listing.add_argument("-f", "--offset", type=_count, default=0, metavar="N", help="leave out the first N")
    listing.add_argument("-n", "--name", default="", metavar="TEXT", help="only those with this text in their id")
    listing.add_argument(
        "-o", "--order", choices=("asc", "desc"), default="desc", help="the newest at the bottom, or at the top (desc)"
    )
    listing.add_argument(
        *("-s", "--status"), nargs="+", metavar="STATUS", default=[], choices=[state.value for state in State],
        help="only those with one of these: RUNNING, COMPLETED, FAILED …",
    )  # fmt: skip
    listing.add_argument("--submitted-after", type=_day, metavar="YYYY-MM-DD", help="on that day (UTC) or later")
    listing.add_argument("--submitted-before", type=_day, metavar="YYYY-MM-DD", help="before that day (UTC)")
    listing.add_argument("--tags", nargs="+", metavar="TAG", default=[], help="only those with all of these tags")
    for option, text in (("--label", "only those with these labels"), ("--no-label", "only those without")):
        listing.add_argument(option, nargs="+", action="extend", metavar="KEY[=VALUE]", default=[], help=text)
    listing.add_argument("-q", "--quiet", action="store_true", help="print ids only, one a line")
    _formats(listing)


def _ending(commands: Any) -> None:
    cancel = _command(commands, "cancel", "end", "cancel", "end workflows; their last checkpoints are made")
    _run_ids(cancel, "+")
    cancel.add_argument("-m", "--message", default="", metavar="TEXT", help="why; `query` and the log show it")
    cancel.add_argument("-f", "--force", action="store_true", help="kill at once: no grace, no last checkpoint")
    _formats(cancel)

    delete = _command(commands, "delete", "delete", "delete", "delete workflows that are over: logs, output, records")
    _run_ids(delete, "*")
    delete.add_argument("--older-than", metavar="AGE", help="only those that ended so long ago: 12h, 30d")
    delete.add_argument("-y", "--yes", action="store_true", help="do not ask")
    delete.add_argument("--force", action="store_true", help="even if files in them are not in their data store")
    _formats(delete)


def _run(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} --path PATH --url URL --frequency DURATION [option ...] -- COMMAND [ARG ...]"
    entry = parser.add_argument_group("what to checkpoint, as in a spec's `checkpoint:`")
    entry.add_argument("--path", help="a folder, a file, or folder/*")
    entry.add_argument("--url", help="where to: s3://bucket/path, gs://…, azure://…, file:///absolute/path")
    entry.add_argument("--frequency", metavar="DURATION", help="how long to wait between two checkpoints: 30s, 10m")
    entry.add_argument("--regex", help="only files that it matches")
    entry.add_argument("--keep", metavar="N", help="how many checkpoints stay restorable (1)")
    entry.add_argument("--name", help="the name that its checkpoints have at the url (that of the folder)")
    entry.add_argument("--config", metavar="FILE", help="read a list of entries from a YAML file instead")
    parser.add_argument("--restore", action="store_true", help="begin with the newest checkpoint, if the path is empty")
    parser.add_argument("--restore-timeout", metavar="DURATION", help="wait so long for a store that is silent (30m)")
    parser.add_argument("--grace", metavar="DURATION", help="on SIGTERM, for the end and the last checkpoint (25s)")
    _bandwidth(parser)
    parser.add_argument("--spot", choices=("auto", "off"), help="ask the cloud for a termination notice (auto)")
    parser.add_argument("--no-check", action="store_true", help="do not ask the data stores first")
    parser.add_argument("--log", metavar="FILE", help="append what osmo says to a file, not to standard error")
    parser.add_argument("--quiet", action="store_true", help="say nothing but what is lost at the end")


def _bandwidth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-bandwidth", metavar="RATE", help="for all uploads together: 200MiB/s (no limit)")


def _waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="return when it is in the store; exit 1 if it is not")
    parser.add_argument("--timeout", metavar="DURATION", help="wait no longer than that")
    _formats(parser)


def _checkpoint(commands: Any) -> None:
    _run(_command(commands, "run", "run", "run", "run a command and checkpoint what it writes"))
    _waiting(_command(commands, "now", "request", "now", "inside a task: make a checkpoint of its data now"))

    listing = _command(commands, "list", "checkpoint", "list_checkpoints", "list the checkpoints at a url")
    _url(listing)
    listing.add_argument("-c", "--count", type=_count, default=20, metavar="N", help="at most so many a stream (20)")
    _formats(listing)

    show = _command(commands, "show", "checkpoint", "show", "show a checkpoint and its files")
    verify = _command(commands, "verify", "checkpoint", "verify", "compare a checkpoint with what is in the store")
    verify.add_argument("--deep", action="store_true", help="read every byte and compare digests")
    for command in (show, verify):
        _url(command)
        command.add_argument("number", metavar="N", nargs="?", type=_number, help="which one (the newest)")
        _stream(command)
        _formats(command)

    restore = _command(commands, "restore", "checkpoint", "restore", "bring a checkpoint back into a folder")
    _url(restore)
    restore.add_argument("folder", metavar="DEST", help="the folder; made if it is not there")
    restore.add_argument("--at", metavar="N", dest="number", type=_number, help="which one (the newest)")
    restore.add_argument("--partial", action="store_true", help="of a damaged one, the files that are whole")
    _stream(restore)
    _formats(restore)

    prune = _command(commands, "prune", "upkeep", "prune", "remove all checkpoints but the newest")
    prune.add_argument("--keep", type=_at_least_one, required=True, metavar="N", help="how many stay, of each stream")
    prune.add_argument("--mirror", action="store_true", help="remove plain files, too, that are in no checkpoint")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    prune.add_argument("-y", "--yes", action="store_true", help="do not ask")
    mirror = _command(commands, "mirror", "upkeep", "mirror", "bring plain files up to the newest checkpoint")
    for command in (prune, mirror):
        _url(command)
        command.add_argument("--force", action="store_true", help="even if a run may still be writing there")
        _stream(command)
        _formats(command)

    diff = _command(commands, "diff", "checkpoint", "diff", "show what changed from one checkpoint to another")
    _url(diff)
    diff.add_argument("number", metavar="N", type=_number)
    diff.add_argument("other", metavar="M", type=_number)
    _stream(diff)
    _formats(diff)


def _data(commands: Any) -> None:
    upload = _command(commands, "upload", "data", "upload_files", "upload files and folders to a url")
    upload.add_argument("url", metavar="URL", help="where to: s3://bucket/path, gs://…, azure://…, file:///path")
    upload.add_argument("paths", metavar="PATH", nargs="+", help="a file, a folder, or folder/* for what is in it")
    _bandwidth(upload)
    download = _command(commands, "download", "data", "download_files", "download what lies at a url")
    download.add_argument("url", metavar="URL", help="an object, or the beginning of several")
    download.add_argument("folder", metavar="DEST", help="the folder; made if it is not there")
    download.add_argument("-r", "--resume", action="store_true", help="leave files that are there already")
    listing = _command(commands, "list", "data", "list_objects", "list what lies at a url")
    listing.add_argument("url", metavar="URL", help="a bucket, or a folder in it")
    listing.add_argument("file", metavar="FILE", nargs="?", help="write the keys there")
    listing.add_argument("-p", "--prefix", default="", help="only in this folder beneath it")
    listing.add_argument("-r", "--recursive", action="store_true", help="in all folders beneath it, too")
    listing.add_argument("--no-pager", action="store_true", help="as always: there is none")
    delete = _command(commands, "delete", "data", "delete_objects", "delete what lies at a url")
    delete.add_argument("url", metavar="URL", help="an object, or a folder with all that is beneath it")
    delete.add_argument("-y", "--yes", action="store_true", help="do not ask")
    check = _command(commands, "check", "access", "check", "say what a data store can do, by trying it")
    check.add_argument("url", metavar="URL", help="a bucket, or a folder in it")
    check.add_argument("-a", "--access", choices=("READ", "WRITE", "DELETE"), help="try no more than this needs")
    _formats(check)
    for command in (listing, delete):
        command.add_argument("--all", action="store_true", help="osmo's own records (.osmo), too")
    for command in (upload, download, delete):
        command.add_argument("-p", "--processes", type=_count, metavar="N", help="with --threads: how many at once")
        command.add_argument("-T", "--threads", type=_count, metavar="N", help="how many files at once (16)")
        command.add_argument("--dry-run", action="store_true", help="only say what would be done")
    for command in (upload, download, listing, delete):
        command.add_argument("-x", "--regex", help="only files whose name it matches from the beginning on")
        _formats(command)


def _credential(commands: Any) -> None:
    keep = _command(commands, "set", "credential", "set_credential", "keep a credential on this machine")
    keep.add_argument("name", metavar="NAME", help="what it is called")
    keep.add_argument("--type", choices=("DATA", "GENERIC", "REGISTRY"), default="DATA", help="what it is for (DATA)")
    keep.add_argument(
        "--payload", nargs="+", action="extend", metavar="KEY=VALUE", help="its fields: endpoint=s3://bucket region=…"
    )
    keep.add_argument(
        "--payload-file",
        nargs="+",
        action="extend",
        metavar="KEY=PATH",
        help="fields that are read from files, - from standard input",
    )
    keep.add_argument("--keyring", action="store_true", help="its access_key in the system's keyring, not in the file")
    listing = _command(commands, "list", "credential", "list_credentials", "list them, without their secrets")
    _formats(listing)
    delete = _command(commands, "delete", "credential", "delete_credential", "forget a credential")
    delete.add_argument("name", metavar="NAME", help="what it is called")


def _url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the url of a task's `checkpoint:`")


def _stream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", metavar="STREAM", dest="stream", help="whose, if the url holds several: TASK.FOLDER")


def _commands(parser: argparse.ArgumentParser, help_: Command) -> Any:
    parser.set_defaults(command=help_, parser=parser)
    return parser.add_subparsers(metavar="COMMAND", title="commands")


def _command(commands: Any, name: str, module: str, function: str, text: str) -> argparse.ArgumentParser:
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


def _run_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow's id, as submit printed it")


def _run_ids(parser: argparse.ArgumentParser, how_many: str) -> None:
    parser.add_argument("ids", metavar="ID", nargs=how_many, help="a workflow's id, as submit printed it")


def _formats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="print JSON")
    parser.add_argument("-t", "--format-type", choices=("text", "json"), dest="format", help="text or json")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines or rows")
    return int(text)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a checkpoint")
    return int(text)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of checkpoints: 1 or more")
    return int(text)


def _day(text: str) -> str:
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write YYYY-MM-DD") from None
