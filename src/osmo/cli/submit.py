"""`osmo workflow submit` and `validate`."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from osmo.cli import inputs, launch, runtime, watch
from osmo.cli.before import ask_stores, limits, warn
from osmo.cli.draft import Draft, one_at_a_time
from osmo.cli.output import print_json, print_text
from osmo.cli.planning import planned
from osmo.cli.settings import Settings, environment, load
from osmo.errors import SpecError
from osmo.rundir.home import Home
from osmo.rundir.paths import RunDir
from osmo.spec import place
from osmo.spec.given import given
from osmo.spec.load import Checked, check
from osmo.spec.place import Place
from osmo.spec.prepared import prepare
from osmo.spec.task import Task


def validate(args: argparse.Namespace) -> int:
    """Say what is wrong with a spec, or that nothing is."""
    try:
        spec = prepare(Path(args.file), given(args.set, args.set_string, labels=args.label))
        checked = check(spec, _place(load()))
    except SpecError as error:
        if args.format == "json":
            print_json({"valid": False, "problems": error.problems})
        raise
    warn(*checked.warnings)
    if args.format == "json":
        print_json({"valid": True, "warnings": checked.warnings})
    else:
        print("Workflow validation succeeded.")
    return 0


def submit(args: argparse.Namespace) -> int:
    """Start a workflow, and look on if that is wanted."""
    settings = load()
    settings.override("grace", args.grace, "--grace")
    settings.override("spot", args.spot, "--spot")
    settings.override("max_bandwidth", args.max_bandwidth, "--max-bandwidth")
    settings.override("runtime", args.runtime, "--runtime")
    settings.override("restore_timeout", args.restore_timeout, "--restore-timeout")
    settings.override("max_retries", args.max_retries, "--max-retries")
    home = Home(settings.home)
    where = _place(settings)
    spec = prepare(Path(args.file), given(args.set, args.set_string, args.set_env, args.label))
    if args.dry_run:
        print_text(spec.text)
    checked = _overridden(check(spec, where), args)
    for option in ("pool", "priority"):
        if getattr(args, option):
            warn(f"--{option} is not applied on this machine")
    warn(*checked.warnings)
    if args.dry_run:
        return 0
    runtime.refuse_what_cannot_run(checked.workflow.tasks, where)
    home.prepare()
    warn(*inputs.of_earlier_runs(checked.workflow, home))
    groups = planned(checked.workflow, where.environ, settings)
    plan = Draft(home, where, checked, limits(settings), groups, settings.count("max_retries"))
    warn(*plan.refuse_what_others_write())
    if not args.no_check:
        tasks = plan.example.values()
        written = {entry.url for task in tasks for entry in place.entries(task, where)}
        written.update(output.url for task in tasks for output in inputs.to_send(task))
        read = {url for task in tasks for url in inputs.asked(task)}
        ask_stores(written, where.environ, "the workflow", read=read, restores=plan.restores)
    with one_at_a_time(home):
        plan.refuse_what_others_write()
        run = plan.write_or_nothing(Path(args.file))
    _say_submitted(run, plan, args)
    if args.foreground:
        return watch.in_foreground(run)
    launch.start_supervisor(run)
    _warn_of_the_end_of_the_session(where)
    return watch.follow(run) if args.follow else 0


def _overridden(checked: Checked, args: argparse.Namespace) -> Checked:
    """With what the command line says of all entries, so that a spec may stay one that OSMO takes."""
    given = {"keep": args.keep, "restore": args.restore or None}
    changes = {name: value for name, value in given.items() if value is not None}

    def change(task: Task) -> Task:
        return task.model_copy(
            update={"checkpoint": tuple(each.model_copy(update=changes) for each in task.checkpoint)}
        )

    return replace(checked, workflow=checked.workflow.change_tasks(change))


def _place(settings: Settings) -> Place:
    return runtime.place(settings, environment(), os.getcwd())


def _say_submitted(run: RunDir, plan: Draft, args: argparse.Namespace) -> None:
    warn(*(note for notes in plan.notes.values() for note in notes))
    if args.format == "json":
        print_json({"name": run.id, "directory": str(run.path)})
    else:
        print("Workflow submit successful.")
        print(f"Workflow ID        - {run.id}", flush=True)


def _warn_of_the_end_of_the_session(where: Place) -> None:
    job = where.environ.get("SLURM_JOB_ID")
    if job:
        warn(f"this is Slurm job {job}: Slurm ends what it started when the script ends; use --foreground")
    elif 1 in (os.getpid(), os.getppid()):
        warn("this is a child of PID 1: in a container everything ends with it; use --foreground")
