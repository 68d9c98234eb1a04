"""The page that says what becomes of OSMO's fields, held to the models and to what is warned of."""

import re
from pathlib import Path

import pytest

from osmo.spec import unapplied
from osmo.spec.schema import DESCRIPTIONS

TOP = Path(__file__).parents[3]
PAGE = (TOP / "docs/osmo.md").read_text()
ROWS = {
    field: (here, text)
    for fields, here, text in re.findall(r"^\| (.+?) \| (.*?) \|(.*?)\|$", PAGE, re.MULTILINE)
    for field in re.findall(r"`([^`]+)`", fields)
}
HERE = ("same", "better", "not here")
OBJECTS = {
    "spec": "",
    "workflow": "workflow.",
    "group": "groups[].",
    "task": "tasks[].",
    "timeout": "timeout.",
    "resource": "resources.*.",
    "topology": "topology[].",
    "file": "files[].",
    "input": "inputs[].",
    "output": "outputs[].",
    "kpi": "kpis[].",
    "checkpoint": "checkpoint[].",
}
FIELDS = [f"{OBJECTS[model]}{name}" for model, fields in DESCRIPTIONS.items() for name in fields]


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_has_its_row(field: str) -> None:
    assert ROWS[field][0] in HERE


def test_no_row_is_of_a_field_that_does_not_exist() -> None:
    assert {field for field in ROWS if re.search(r"\w(\[\]|\.\*)?\.\w", field)} <= {*FIELDS}


def test_no_cell_is_empty() -> None:
    rows = [row for row in re.findall(r"^\|(.+)\|(.+)\|(.*)\|$", PAGE, re.MULTILINE) if "---" not in row[0]]
    assert len(rows) > 70
    for row in rows:
        field, here, text = (cell.strip() for cell in row)
        assert field
        assert here in (*HERE, "here")
        assert text, field


@pytest.mark.parametrize(
    ("names", "prefix"),
    [(unapplied.WORKFLOW, "workflow."), (unapplied.RESOURCE, "resources.*."), (unapplied.TASK, "tasks[].")],
)
def test_what_is_warned_of_is_not_here_and_nothing_else(names: tuple[str, ...], prefix: str) -> None:
    not_here = {field for field in FIELDS if field.startswith(prefix) and ROWS[field][0] == "not here"}
    assert not_here == {f"{prefix}{name}" for name in names}
