"""The process beside one attempt of a task: starts the command, follows its output, saves its checkpoints, reports.

It runs on a bare node: no pydantic, no YAML. Everything is imported before the command starts, because the package may
be upgraded under a run that lasts for days.
"""
