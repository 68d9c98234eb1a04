"""`osmo workflow query` and `list`, `osmo settings`, `osmo version`."""

import argparse
from datetime import datetime
from typing import Any

from osmo import __version__
from osmo.cli import launch
from osmo.cli.output import bytes_of, files_of, print_json, print_table, span
from osmo.cli.settings import load
from osmo.cli.view import RunView, TaskView, Unsaved, age_s, home_of, view, views
from osmo.clock import SystemClock

_NONE = "-"


def query(args: argparse.Namespace) -> int:
    """One run: its tasks, its checkpoints, and whether all that is on disk is in the store."""
    run = home_of(load()).run(args.id)
    seen = view(run)
    if seen.is_here and not seen.state.over:
        launch.see_to(run)
    unsaved = seen.unsaved() if seen.is_here else None
    if args.format == "json":
        print_json(_as_json(seen, unsaved))
        return 0
    _print_head(seen, verbose=args.verbose)
    _print_tasks(seen)
    if any(task.streams for task in seen.tasks):
        _print_streams(seen)
    if args.verbose:
        _print_details(seen)
    _print_troubles(seen)
    print()
    for line in seen.never_seen():
        print(line)
    print(_last_sentence(seen, unsaved))
    return 0


def list_runs(args: argparse.Namespace) -> int:
    """The newest runs of this machine."""
    found = views(home_of(load()))[: args.count]
    if args.format == "json":
        print_json([_summary(seen) for seen in found])
    elif not found:
        print("There are no workflows to view.")
    else:
        rows = [(seen.run.id, _moment(seen.submitted.isoformat()), seen.state.value, seen.host) for seen in found]
        print_table(("Workflow ID", "Submit Time", "Status", "Host"), rows)
    return 0


def settings(args: argparse.Namespace) -> int:
    """Every setting, its value, and where that came from."""
    values = load().values.values()
    if args.format == "json":
        print_json({value.known.name: {"value": value.text, "source": value.source} for value in values})
    else:
        rows = [(value.known.name, value.text, value.source, value.known.meaning) for value in values]
        print_table(("Setting", "Value", "From", "Meaning"), rows)
    return 0


def version(args: argparse.Namespace) -> int:
    if args.format == "json":
        print_json({"version": __version__})
    else:
        print(f"osmo {__version__}")
    return 0


def _print_head(seen: RunView, *, verbose: bool) -> None:
    print(f"Workflow ID : {seen.run.id}")
    print(f"Status      : {seen.state}")
    print(f"Submit Time : {_moment(seen.submitted.isoformat())}")
    if not seen.is_here:
        print(f"Host        : runs on {seen.host}, last seen {_moment(seen.last_seen)}")
    elif verbose:
        print(f"Host        : {seen.host}")
    if verbose:
        print(f"Spec        : {seen.record['spec_file']}")
        print(f"Directory   : {seen.run.path}")
    print()


def _print_tasks(seen: RunView) -> None:
    rows = [
        (
            task.name,
            _moment(task.status.get("started")),
            _moment(task.status.get("ended")),
            task.state.value,
            _text(task.status.get("exit_code")),
            task.status.get("message") or "",
        )
        for task in seen.tasks
    ]
    print_table(("Task Name", "Start Time", "End Time", "Status", "Exit Code", ""), rows)


def _print_streams(seen: RunView) -> None:
    rows = [_stream_row(task, stream) for task in seen.tasks for stream in task.streams]
    print()
    columns = ("Task Name", "Path", "Url", "Checkpoint", "Age", "Files", "Size", "Failures", "Next")
    print_table(columns, rows)


def _stream_row(task: TaskView, stream: dict[str, Any]) -> tuple[str, ...]:
    due = stream["next_due"]
    left_s = None if due is None or task.state.over else -_since(due)
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
    for task in seen.tasks:
        for stream in task.streams:
            frequencies = ", ".join(
                f"every {span(frequency)}" + (f" {regex!r}" if regex else "")
                for frequency, regex in zip(stream["frequencies_s"], stream["regexes"], strict=True)
            )
            uploaded = f"{files_of(stream['uploaded_files'])}, {bytes_of(stream['uploaded_size'])} uploaded in all"
            print(f"\n{task.name}: {stream['path']} to {stream['url']}: {frequencies}; {uploaded}")
            if stream["moving"]:
                print(f"  {files_of(stream['moving'])} being written when last looked at")


def _print_troubles(seen: RunView) -> None:
    for task in seen.tasks:
        for stream in task.streams:
            if stream["error"]:
                print(f"\n{task.name}: {stream['path']}: the last try failed: {stream['error']}")
            for name, why in stream["problems"].items():
                print(f"\n{task.name}: {stream['path']}: not in the checkpoint: {name!r}: {why}")


def _last_sentence(seen: RunView, unsaved: Unsaved | None) -> str:
    if not any(task.streams for task in seen.tasks):
        return "nothing is checkpointed"
    if unsaved is None:
        return f"what is on disk is known on {seen.host} only"
    if not unsaved.files:
        return "everything on disk is in the store"
    since_ns = SystemClock().now().timestamp() * 1e9 - (unsaved.oldest_ns or 0)
    verb = "is" if unsaved.files == 1 else "are"
    age = span(max(0.0, since_ns / 1e9))
    return f"{files_of(unsaved.files)}, {bytes_of(unsaved.size)}, {age} old, {verb} not"


def _as_json(seen: RunView, unsaved: Unsaved | None) -> dict[str, Any]:
    tasks = [
        {
            "name": task.name,
            "attempt": int(task.attempt.path.name),
            "status": task.state,
            "exit_code": task.status.get("exit_code"),
            "message": task.status.get("message", ""),
            "started": task.status.get("started"),
            "ended": task.status.get("ended"),
            "checkpoints": [stream | {"age_s": age_s(stream["checkpointed"])} for stream in task.streams],
        }
        for task in seen.tasks
    ]
    on_disk = None if unsaved is None else {"files": unsaved.files, "size": unsaved.size}
    return _summary(seen) | {"tasks": tasks, "not_in_store": on_disk, "never_seen": list(seen.never_seen())}


def _summary(seen: RunView) -> dict[str, Any]:
    return {
        "name": seen.run.id,
        "uuid": seen.record["uuid"],
        "status": seen.state,
        "submitted": seen.record["submitted"],
        "host": seen.host,
        "directory": str(seen.run.path),
    }


def _moment(text: str | None) -> str:
    """`2025-04-22 23:57:13`, UTC."""
    return _NONE if text is None else text[:19].replace("T", " ")


def _text(value: object) -> str:
    return _NONE if value is None else str(value)


def _since(moment: str) -> float:
    return (SystemClock().now() - datetime.fromisoformat(moment)).total_seconds()
