"""The schema, held to the models and to the specs that there are."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from osmo.spec.prepared import prepare
from osmo.spec.render import render
from osmo.spec.schema import DESCRIPTIONS, schema
from support.specs import EVERY_FIELD

TOP = Path(__file__).parents[3]
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)
SPECS = sorted(TOP.glob("examples/**/*.yaml"))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.name)
def test_an_example_fits(spec: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(prepare(spec, render=render).text))


def test_every_field_fits_and_is_described() -> None:
    VALIDATOR.validate(EVERY_FIELD)
    objects = {"spec": SCHEMA, **SCHEMA["$defs"]}
    assert {name: set(model["properties"]) for name, model in objects.items()} == {
        name: set(fields) for name, fields in DESCRIPTIONS.items()
    }
    for model in objects.values():
        assert all(field["description"] for field in model["properties"].values())
        assert model["additionalProperties"] is False


@pytest.mark.parametrize(
    "workflow",
    [
        {},
        {"name": "w"},
        {"name": "9", "tasks": []},
        {"name": "w", "tasks": [], "groups": []},
        {"name": "w", "tasks": [{}]},
        {"name": "w", "tasks": [{"name": "a", "command": "x"}]},
        {"name": "w", "tasks": [{"name": "a", "args": ["x"]}]},
        {"name": "w", "tasks": [{"name": "a", "comand": ["x"]}]},
        {"name": "w", "tasks": [{"name": "a", "inputs": [{}]}]},
        {"name": "w", "tasks": [{"name": "a", "files": [{"path": "a"}]}]},
        {"name": "w", "tasks": [{"name": "a", "exitActions": {"RESTART": 1}}]},
        {"name": "w", "tasks": [{"name": "a", "checkpoint": [{"path": "a", "url": "s3://b"}]}]},
        {"name": "w", "tasks": [{"name": "a"}], "labels": {"a": 1}},
    ],
)
def test_what_does_not_fit(workflow: object) -> None:
    assert list(VALIDATOR.iter_errors({"workflow": workflow}))
