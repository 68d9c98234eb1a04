"""`osmo workflow restart`."""

import argparse
import base64
import json
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

from osmo.cli import launch
from osmo.cli.draft import one_at_a_time, taken
from osmo.cli.output import print_json
from osmo.cli.settings import load
from osmo.cli.view import RunView, home_of, live, view
from osmo.clock import SystemClock
from osmo.errors import RunDirectoryError, UsageError
from osmo.rundir import files as made_files
from osmo.rundir import records
from osmo.rundir.home import Home
from osmo.rundir.identity import boot, host
from osmo.rundir.paths import RunDir
from osmo.rundir.plan import Plan
from osmo.runner.lifecycle import state_of
from osmo.states import State


def restart(args: argparse.Namespace) -> int:
    """Run again what has failed of a run, as a new run that goes on from its checkpoints."""
    home = home_of(load())
    old = view(home.run(args.id))
    plan = _what_failed(old)
    with one_at_a_time(home):
        _refuse_what_others_write(home, old, plan)
        new = _write_or_nothing(home, old, plan)
    launch.start_supervisor(new)
    if args.format == "json":
        print_json({"name": new.id, "restarted": old.run.id, "directory": str(new.path)})
    else:
        print(f"Workflow {old.run.id} restarted.")
        print(f"Workflow ID        - {new.id}", flush=True)
    return 0


def _what_failed(old: RunView) -> Plan:
    """The groups that did not complete; what they waited for is there. Raises UsageError."""
    if not old.state.settled:
        raise UsageError(f"{old.run.id} is {old.state}", hint=f"`osmo workflow cancel {old.run.id}` ends it.")
    if not old.is_here:
        raise UsageError(f"{old.run.id} ran on {old.host}: restart it there")
    tasks = {task.name: task.seen for task in old.tasks}
    failed = [group for group in old.plan.groups if state_of(group, tasks) is not State.COMPLETED]
    if not failed:
        raise UsageError(f"{old.run.id} is {old.state}: nothing of it has failed")
    names = {group.name for group in failed}
    groups = (replace(group, upstream=tuple(each for each in group.upstream if each in names)) for group in failed)
    return replace(old.plan, groups=tuple(groups))


def _refuse_what_others_write(home: Home, old: RunView, plan: Plan) -> None:
    """Raises UsageError for a stream that a running task has: a run that was restarted before, say."""
    mine = {
        (task.name, entry.url, entry.prefix, entry.stream)
        for task in old.tasks
        if task.name in plan.tasks
        for entry in task.config.entries
    }
    for run in live(home):
        for task in run.tasks:
            for entry in () if task.state.over else task.config.entries:
                if (task.name, entry.url, entry.prefix, entry.stream) in mine:
                    raise taken(run, f"{task.name}'s {entry.basename} to {entry.url}")


def _write_or_nothing(home: Home, old: RunView, plan: Plan) -> RunDir:
    new = home.new_run(str(old.record["name"]))
    try:
        _write(home, new, old, plan)
    except OSError as error:
        shutil.rmtree(new.path, ignore_errors=True)
        raise RunDirectoryError(
            f"{home.path}: {(error.strerror or str(error)).lower()}: nothing was started"
        ) from error
    return new


def _write(home: Home, new: RunDir, old: RunView, plan: Plan) -> None:
    """`run.json` is written last: before it, there is no run."""
    identity = str(uuid.uuid4())
    records.write(new.environment, records.read(old.run.environment) or {})
    for there, here in ((old.run.spec, new.spec), (old.run.template, new.template)):
        if there.exists():
            shutil.copyfile(there, here)
            here.chmod(0o600)
    (new.path / "tasks").mkdir(mode=0o700)
    for task in plan.tasks:
        attempt = new.attempt(task, 0)
        for folder in (attempt.path.parent, attempt.path, attempt.task_output):
            folder.mkdir(mode=0o700)
        record = records.read(old.run.attempt(task, 0).task) or {}
        record = _moved(record, old.run, new, plan)
        record |= {"run_id": new.id, "run": identity, "attempt": 0}
        records.write(attempt.task, record)
        _claim_files(home, new, task, record)
    fresh = {
        "id": new.id,
        "uuid": identity,
        "submitted": SystemClock().now().isoformat(),
        "host": host(),
        "boot": boot(),
        "tasks": list(plan.tasks),
        "plan": plan.record(),
        "restarted": old.run.id,
    }
    records.write(new.run, old.record | fresh)


def _moved(record: records.Record, old: RunDir, new: RunDir, plan: Plan) -> records.Record:
    """A task as it was, in the new run. What it reads of tasks that completed stays where it is; its checkpoints go on
    where they were, and come back first."""

    def here(text: str) -> str:
        for task in plan.tasks:
            text = text.replace(str(old.task_output(task)), str(new.task_output(task)))
            text = text.replace(f"{old.task_inputs(task)}/", f"{new.task_inputs(task)}/")
            text = text.replace(f"{old.attempt(task, 0).path}/", f"{new.attempt(task, 0).path}/")
        return text

    moved: records.Record = json.loads(here(json.dumps(record, ensure_ascii=False)))
    for entry in moved["entries"]:
        entry["restore"] = entry["restore"] is not False
    for file in moved["files"]:
        contents = base64.b64decode(file["contents"])
        contents = here(contents.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        file |= {"contents": base64.b64encode(contents).decode(), "replace": True}  # the run before has made it
    return moved


def _claim_files(home: Home, new: RunDir, task: str, record: records.Record) -> None:
    for file in record["files"]:
        if not Path(file["path"]).is_relative_to(new.path):
            digest = made_files.digest(base64.b64decode(file["contents"]))
            made_files.claim(home, made_files.Made(file["path"], digest, new.id, task))
