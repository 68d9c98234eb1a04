"""`osmo workflow check`."""

import argparse
from dataclasses import dataclass
from typing import Any

from osmo.cli import launch
from osmo.cli.delete import age
from osmo.cli.main import FAILED, OK
from osmo.cli.output import files_of, print_json
from osmo.cli.settings import load
from osmo.cli.view import RunView, TaskView, Unsaved, age_s, home_of, view
from osmo.logs.size import bytes_of
from osmo.logs.span import span


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one entry's checkpoints. over: the task has ended; runs_s: how long it runs, or ran.

    status: the agent's own words, None if there are none yet. unsaved: what on disk is not in the store now; None if
    the disk is another machine's.
    """

    over: bool
    runs_s: float
    status: dict[str, Any] | None
    unsaved: Unsaved | None

    @property
    def any(self) -> bool:
        """Whether anything was ever in the store."""
        status = self.status or {}
        nothing_to_do = status.get("seen") and status.get("looked") and not status.get("moving")
        return status.get("checkpoint") is not None or bool(nothing_to_do)

    @property
    def whole_s(self) -> float | None:
        """How long ago the store was last known to have what was on disk: a checkpoint was made, or none was needed."""
        status = self.status or {}
        moments = [status.get("checkpointed"), None if status.get("moving") else status.get("looked")]
        return min((found for moment in moments if (found := age_s(moment)) is not None), default=None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry, judged."""

    fine: bool
    text: str


def check(args: argparse.Namespace) -> int:
    """One line for a monitor, and 1 to exit with if the last checkpoint of any entry is too old."""
    max_age_s = age("--max-age", args.max_age)
    run = home_of(load()).run(args.id)
    seen = view(run)
    if seen.is_here and not seen.state.over:
        launch.see_to(run)
    found = [
        (task, path, judge(_known(seen, task, place), max_age_s))
        for task in seen.tasks
        for place, path in enumerate(entries[0].path for entries in task.config.streams)
    ]
    bad = [one for one in found if not one[2].fine]
    if args.format == "json":
        entries = [
            {"task": task.name, "path": path, "fine": judged.fine, "message": judged.text}
            for task, path, judged in found
        ]
        print_json({"name": run.id, "status": seen.state, "fine": not bad, "max_age_s": max_age_s, "entries": entries})
    else:
        print(_line(run.id, bad or found, fine=not bad))
    return FAILED if bad else OK


def judge(known: Known, max_age_s: float) -> Finding:
    """Fine is what is in the store, or was, not longer ago than `max_age_s`."""
    if known.over:
        return _of_an_ended_task(known)
    if not known.any:
        text = f"no checkpoint yet, after {span(known.runs_s)}"
        return Finding(known.runs_s <= max_age_s, text + _error(known))
    if known.whole_s is not None and known.whole_s <= max_age_s:
        return Finding(True, f"last checkpoint {span(known.whole_s)} ago")
    if known.unsaved is not None and not known.unsaved.files:
        return Finding(True, "everything on disk is in the store")
    ago = "" if known.whole_s is None else f" {span(known.whole_s)} ago"
    return Finding(False, f"last checkpoint{ago}, longer than {span(max_age_s)}{_error(known)}")


def _of_an_ended_task(known: Known) -> Finding:
    if not known.any:
        return Finding(False, "it has ended, and nothing was ever checkpointed")
    if known.unsaved is None:
        final = bool((known.status or {}).get("final"))
        return Finding(final, f"it has ended, its last checkpoint is {'' if final else 'not '}in the store")
    if not known.unsaved.files:
        return Finding(True, "everything on disk is in the store")
    missing = f"{files_of(known.unsaved.files)}, {bytes_of(known.unsaved.size)}"
    return Finding(
        False, f"it has ended, and {missing} on disk {'is' if known.unsaved.files == 1 else 'are'} not in the store"
    )


def _error(known: Known) -> str:
    error = (known.status or {}).get("error")
    return f": {error}" if error else ""


def _known(seen: RunView, task: TaskView, place: int) -> Known:
    status = task.streams[place] if place < len(task.streams) else None
    runs_s = age_s(task.status.get("started") or seen.record["submitted"]) or 0.0
    return Known(task.state.over, runs_s, status, task.unsaved_of(place) if seen.is_here else None)


def _line(run_id: str, found: list[tuple[TaskView, str, Finding]], *, fine: bool) -> str:
    if not found:
        return f"{run_id}: OK: nothing is checkpointed"
    task, path, judged = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    text = " ".join(judged.text.split())
    return f"{run_id}: {'OK' if fine else 'TOO OLD'}: {task.name}: {path}: {text}{more}"
