"""`osmo workflow query`."""

import argparse
from datetime import datetime
from typing import Any

from osmo.cli import launch
from osmo.cli.output import files_of, plain, print_json, print_table
from osmo.cli.settings import load
from osmo.cli.view import RunView, TaskView, Unsaved, age_s, as_json, home_of, moment, view
from osmo.clock import SystemClock
from osmo.logs.size import bytes_of
from osmo.logs.span import span
from osmo.rundir import records
from osmo.runner import agents

_NONE = "-"


def query(args: argparse.Namespace) -> int:
    """One run: its tasks, its checkpoints, and whether all that is on disk is in the store."""
    run = home_of(load()).run(args.id)
    seen = view(run)
    if seen.is_here and not seen.state.over:
        launch.see_to(run)
    unsaved = seen.unsaved()
    if args.format == "json":
        print_json(as_json(seen, unsaved))
        return 0
    _print_head(seen, verbose=args.verbose)
    _print_tasks(seen)
    if any(task.streams for task in seen.tasks):
        _print_streams(seen)
    if args.verbose:
        _print_details(seen)
    _print_troubles(seen)
    print()
    for line in seen.shortcomings():
        print(line)
    print(_last_sentence(seen, unsaved))
    return 0


def _print_head(seen: RunView, *, verbose: bool) -> None:
    print(f"Workflow ID : {seen.run.id}")
    print(f"Status      : {'was ' if seen.rebooted else ''}{seen.state}")
    print(f"Submit Time : {moment(seen.submitted.isoformat())}")
    if not seen.is_here:
        print(f"Host        : runs on {seen.host}, last seen {moment(seen.last_seen)}")
    elif verbose:
        print(f"Host        : {seen.host}")
    for trouble in seen.troubles():
        print(f"Trouble     : {trouble}")
    if verbose:
        print(f"Spec        : {seen.record['spec_file']}")
        print(f"Directory   : {seen.run.path}")
    print()


def _print_tasks(seen: RunView) -> None:
    rows = [
        (
            task.name,
            moment(task.status.get("started")),
            moment(task.status.get("ended")),
            task.state.value,
            _text(task.status.get("exit_code")),
            task.status.get("message") or "",
        )
        for task in seen.tasks
    ]
    columns = ("Task Name", "Start Time", "End Time", "Status", "Exit Code", "Message")
    width = len(columns) if any(message for *_, message in rows) else -1
    print_table(columns[:width], [row[:width] for row in rows])


def _print_streams(seen: RunView) -> None:
    rows = [
        _stream_row(task, stream, goes_on=not task.state.over and not seen.rebooted)
        for task in seen.tasks
        for stream in task.streams
    ]
    print()
    columns = ("Task Name", "Path", "Url", "Checkpoint", "Age", "Files", "Size", "Failures", "Next")
    print_table(columns, rows)


def _stream_row(task: TaskView, stream: dict[str, Any], *, goes_on: bool) -> tuple[str, ...]:
    due = stream["next_due"]
    left_s = None if due is None or not goes_on else -_since(due)
    return (
        task.name,
        stream["path"],
        stream["url"],
        _text(stream["checkpoint"]),
        _NONE if stream["checkpointed"] is None else span(age_s(stream["checkpointed"]) or 0.0),
        f"{stream['files']:,}",
        bytes_of(stream["size"]),
        str(stream["failures"]),
        _NONE if left_s is None else f"in {span(left_s)}" if left_s > 0 else "now",
    )


def _print_details(seen: RunView) -> None:
    supervisor = records.read(seen.run.supervisor)
    for task in seen.tasks:
        if (known := agents.read(supervisor, task.name)).deaths:
            print(f"\n{task.name}: agents that died: {known.deaths}, the last at {moment(known.died)}")
        for stream in task.streams:
            frequencies = ", ".join(
                f"every {span(frequency)}" + (f" (regex {plain(regex)})" if regex else "")
                for frequency, regex in zip(stream["frequencies_s"], stream["regexes"], strict=True)
            )
            uploaded = f"{files_of(stream['uploaded_files'])}, {bytes_of(stream['uploaded_size'])} uploaded in all"
            print(f"\n{task.name}: {stream['path']} to {stream['url']}: {frequencies}; {uploaded}")
            if stream["moving"]:
                print(f"  {files_of(stream['moving'])} being written when last looked at")
            for name in stream.get("open", ()):
                print(f"  open for writing, so it waits: {name!r}")
            for name in stream.get("held", ()):
                print(f"  the next checkpoint waits for it to be rewritten: {name!r}")


def _print_troubles(seen: RunView) -> None:
    for task in seen.tasks:
        for stream in task.streams:
            if stream.get("restore"):
                print(f"\n{task.name}: {stream['path']}: {stream['restore']}")
            if stream["error"]:
                print(f"\n{task.name}: {stream['path']}: the last try failed: {stream['error']}")
            for name, why in stream["problems"].items():
                print(f"\n{task.name}: {stream['path']}: not in the checkpoint: {name!r}: {why}")


def _last_sentence(seen: RunView, unsaved: Unsaved | None) -> str:
    if not any(task.streams for task in seen.tasks):
        return "nothing is checkpointed"
    if unsaved is None:
        if seen.is_here:
            return "whether what is on disk is in the store is not known: the records are of another version of osmo"
        return f"what is on disk is known on {seen.host} only"
    if not unsaved.files:
        names = sum(len(stream["problems"]) for task in seen.tasks for stream in task.streams)
        but = f", but for {names} name{'' if names == 1 else 's'} that cannot be stored" if names else ""
        return f"everything on disk is in the store{but}"
    since_ns = SystemClock().now().timestamp() * 1e9 - (unsaved.oldest_ns or 0)
    verb = "is" if unsaved.files == 1 else "are"
    age = span(max(0.0, since_ns / 1e9))
    what = f"{files_of(unsaved.files)}, {bytes_of(unsaved.size)}, {age} old, {verb} not"
    return f"not everything on disk is in the store: {what}"


def _text(value: object) -> str:
    return _NONE if value is None else str(value)


def _since(moment: str) -> float:
    return (SystemClock().now() - datetime.fromisoformat(moment)).total_seconds()
