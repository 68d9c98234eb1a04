"""`osmo workflow events`: what happened to a run and when, as its records tell it."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from osmo.cli.output import plain, print_json
from osmo.cli.settings import load
from osmo.cli.view import home_of, moment, task_named, view
from osmo.rundir import records
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.runner import agents
from osmo.states import State


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """Something that happened. at: ISO 8601, UTC. task is empty, attempt None, for what happened to the whole run."""

    at: str
    task: str
    attempt: int | None
    text: str


def events(args: argparse.Namespace) -> int:
    """The events of a run, oldest first."""
    run = home_of(load()).run(args.id)
    found = sorted(_of_run(run), key=lambda event: event.at)
    if args.task is not None:
        task_named(view(run), args.task)
        found = [event for event in found if event.task == args.task]
    if args.retry_id is not None:
        found = [event for event in found if event.attempt == args.retry_id]
    if args.json:
        print_json([asdict(event) for event in found])
        return 0
    print(f"Workflow {run.id} has events:")
    for event in found:
        name = f"[{event.task}{f' retry-{event.attempt}' if event.attempt else ''}] " if event.task else ""
        print(f"{moment(event.at)} {name}{plain(event.text)}")
    return 0


def _of_run(run: RunDir) -> Iterator[Event]:
    seen = view(run)
    yield Event(seen.record["submitted"], "", None, f"submitted on {seen.host} from {seen.record['spec_file']}")
    canceled = records.read(run.cancel) or {}
    if at := canceled.get("at"):
        message = canceled.get("message")
        yield Event(at, "", None, "canceled by the user" + (f": {message}" if message else ""))
    supervisor = records.read(run.supervisor)
    for task in seen.tasks:
        for attempt in run.attempts(task.name):
            yield from _of_attempt(task.name, attempt)
        if (known := agents.read(supervisor, task.name)).deaths:
            times = f"{known.deaths} times, this was the last" if known.deaths > 1 else "and was replaced"
            yield Event(known.died, task.name, int(task.attempt.path.name), f"its agent died, {times}")
    if seen.state.over:
        at = (records.read(run.ended) or {}).get("ended") or max(task.status.get("ended") or "" for task in seen.tasks)
        yield Event(at, "", None, f"ended: {seen.state}")


def _of_attempt(task: str, attempt: AttemptDir) -> Iterator[Event]:
    number = int(attempt.path.name)
    status = records.read(attempt.status) or {}
    if started := status.get("started"):
        yield Event(started, task, number, "the command was started")
    for stream in status.get("streams", ()):
        if at := stream.get("checkpointed"):
            text = f"checkpoint {stream['checkpoint']} of {stream['path']} is in {stream['url']}"
            yield Event(at, task, number, text)
    if (ended := status.get("ended")) and State(status["state"]).over:
        code = status.get("exit_code")
        more = "; ".join(filter(None, (None if code is None else f"exit code {code}", status.get("message"))))
        yield Event(ended, task, number, f"{status['state']}{f' ({more})' if more else ''}")
