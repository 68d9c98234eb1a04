from pathlib import Path

import pytest

from osmo.cli.not_yet import refuse_what_does_not_run_yet
from osmo.errors import SpecError
from osmo.spec.load import load


def test_what_does_not_run_yet_is_refused_in_one_line() -> None:
    text = """\
workflow:
  name: w
  groups:
  - {name: one, tasks: [{name: a, lead: true}, {name: b, exitActions: {FAIL: 1}}]}
  - {name: two, tasks: [{name: c, inputs: [{task: a, regex: x}, {url: "s3://b/c"}]}]}
"""
    with pytest.raises(SpecError) as error:
        refuse_what_does_not_run_yet(Path("w.yaml"), load(Path("w.yaml"), text))
    assert error.value.problems == (
        "w.yaml: cannot be run yet, though it is valid: inputs from urls, a regex of inputs",
    )


def test_tasks_that_need_each_other_run() -> None:
    text = "workflow: {name: w, tasks: [{name: a}, {name: b, inputs: [{task: a}], exitActions: {FAIL: 1}}]}"
    refuse_what_does_not_run_yet(Path("w.yaml"), load(Path("w.yaml"), text))
