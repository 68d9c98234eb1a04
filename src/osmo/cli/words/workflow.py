"""`osmo workflow …`"""

import argparse
from typing import Any

from osmo.cli.words.common import add_command, at_least_one, bandwidth, count, day, formats, run_id, run_ids, waiting
from osmo.states import State


def starting(commands: Any) -> None:
    submit = add_command(commands, "submit", "submit", "submit", "start a workflow")
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
    submit.add_argument("--keep", type=at_least_one, metavar="N", help="checkpoints that stay restorable (1)")
    submit.add_argument(
        "--max-retries", metavar="N", help="how often a task is tried again that an exit action reschedules (3)"
    )
    submit.add_argument("--no-check", action="store_true", help="do not ask the data stores first")
    submit.add_argument("--grace", metavar="DURATION", help="from TERM to KILL; on preemption, for everything (25s)")
    bandwidth(submit)
    submit.add_argument("--spot", choices=("auto", "off"), help="ask the cloud for a termination notice (auto)")
    submit.add_argument(
        "--runtime", choices=("auto", "process", "sandbox"), help="run tasks in a sandbox: those with an image (auto)"
    )
    formats(submit)

    validate = add_command(commands, "validate", "submit", "validate", "say what is wrong with a spec, run nothing")
    validate.add_argument("file", metavar="FILE", help="the workflow spec (YAML)")
    _template(validate)
    formats(validate)

    add_command(commands, "schema", "schema", "schema", "print the JSON Schema of a spec, for editors")

    checkpoint = add_command(
        commands, "checkpoint", "request", "workflow_checkpoint", "make checkpoints of its tasks now"
    )
    run_id(checkpoint)
    checkpoint.add_argument("--task", help="only of this task")
    waiting(checkpoint)

    restart = add_command(commands, "restart", "restart", "restart", "run again what has failed, from its checkpoints")
    run_id(restart)
    formats(restart)

    resume = add_command(commands, "resume", "resume", "resume", "go on with workflows after a reboot")
    run_ids(resume, "*")
    resume.add_argument("--all", action="store_true", help="all of this machine that are not over")
    formats(resume)


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


def looking(commands: Any) -> None:
    logs = add_command(commands, "logs", "watch", "logs", "show what the tasks print, and their checkpoints")
    run_id(logs)
    logs.add_argument("-t", "--task", help="only this task's lines")
    logs.add_argument("-n", "--last-n-lines", type=count, metavar="N", help="begin with the last N lines")
    logs.add_argument(
        "--since", metavar="WHEN", help="only lines since then: 10m ago, or 2026-11-23T18:30:00 (UTC, as the log)"
    )
    logs.add_argument("-r", "--retry-id", type=count, metavar="N", help="only the Nth retry; 0 is the first attempt")
    logs.add_argument("--error", action="store_true", help="the last 100 lines of tasks that failed, and their agents'")
    logs.add_argument(
        "--follow", action=argparse.BooleanOptionalAction, default=True, help="--no-follow: end with what is there now"
    )
    logs.add_argument("--json", action="store_true", help="print each line as a JSON object in a line of its own")

    query = add_command(commands, "query", "query", "query", "show a workflow's tasks and checkpoints")
    run_id(query)
    query.add_argument("-v", "--verbose", action="store_true", help="more of everything")
    formats(query)

    check = add_command(commands, "check", "check", "check", "exit with 1 if the last checkpoint is too old")
    run_id(check)
    check.add_argument("--max-age", required=True, metavar="AGE", help="how old it may be: 30m, 2h, 1d")
    formats(check)

    spec = add_command(commands, "spec", "show", "spec", "print a workflow's spec as it runs")
    run_id(spec)
    spec.add_argument("--template", action="store_true", help="as it was written, before its variables were set")
    formats(spec)

    events = add_command(commands, "events", "events", "events", "show what happened to a workflow, and when")
    run_id(events)
    events.add_argument("-t", "--task", help="only to this task")
    events.add_argument("-r", "--retry-id", type=count, metavar="N", help="only in the Nth retry; 0: the first attempt")
    events.add_argument("--json", action="store_true", help="print a JSON array")

    shell = add_command(commands, "exec", "shell", "exec_", "run a program beside a task, with what the task has")
    run_id(shell)
    shell.add_argument("task", nargs="?", metavar="TASK", help="the task's name")
    shell.add_argument(*("-g", "--group"), metavar="GROUP", help="beside each task of this group; needs --entry")
    shell.add_argument("--entry", metavar="COMMAND", help="what to run (/bin/bash)")

    tag = add_command(commands, "tag", "tags", "tag", "put words of your own on workflows, to find them by")
    tag.add_argument(*("-w", "--workflow"), nargs="+", required=True, metavar="ID", help="the workflows")
    tag.add_argument(*("-a", "--add"), nargs="+", default=[], metavar="TAG", help="put these on")
    tag.add_argument(*("-r", "--remove"), nargs="+", default=[], metavar="TAG", help="take these off")
    formats(tag)

    _listing(add_command(commands, "list", "listing", "list_runs", "list the workflows of this machine"))

    wait = add_command(commands, "wait", "watch", "wait", "wait until a workflow ends; the exit code says how")
    run_id(wait)
    formats(wait)


def _listing(listing: argparse.ArgumentParser) -> None:
    listing.add_argument("-c", "--count", type=count, default=20, metavar="N", help="at most so many (20)")
    listing.add_argument("-f", "--offset", type=count, default=0, metavar="N", help="leave out the first N")
    listing.add_argument("-n", "--name", default="", metavar="TEXT", help="only those with this text in their id")
    listing.add_argument(
        "-o", "--order", choices=("asc", "desc"), default="desc", help="the newest at the bottom, or at the top (desc)"
    )
    listing.add_argument(
        *("-s", "--status"), nargs="+", metavar="STATUS", default=[], choices=[state.value for state in State],
        help="only those with one of these: RUNNING, COMPLETED, FAILED …",
    )  # fmt: skip
    listing.add_argument("--submitted-after", type=day, metavar="YYYY-MM-DD", help="on that day (UTC) or later")
    listing.add_argument("--submitted-before", type=day, metavar="YYYY-MM-DD", help="before that day (UTC)")
    listing.add_argument("--tags", nargs="+", metavar="TAG", default=[], help="only those with all of these tags")
    for option, text in (("--label", "only those with these labels"), ("--no-label", "only those without")):
        listing.add_argument(option, nargs="+", action="extend", metavar="KEY[=VALUE]", default=[], help=text)
    listing.add_argument("-q", "--quiet", action="store_true", help="print ids only, one a line")
    formats(listing)


def ending(commands: Any) -> None:
    cancel = add_command(commands, "cancel", "end", "cancel", "end workflows; their last checkpoints are made")
    run_ids(cancel, "+")
    cancel.add_argument("-m", "--message", default="", metavar="TEXT", help="why; `query` and the log show it")
    cancel.add_argument("-f", "--force", action="store_true", help="kill at once: no grace, no last checkpoint")
    formats(cancel)

    delete = add_command(
        commands, "delete", "delete", "delete", "delete workflows that are over: logs, output, records"
    )
    run_ids(delete, "*")
    delete.add_argument("--older-than", metavar="AGE", help="only those that ended so long ago: 12h, 30d")
    delete.add_argument("-y", "--yes", action="store_true", help="do not ask")
    delete.add_argument("--force", action="store_true", help="even if files in them are not in their data store")
    formats(delete)
