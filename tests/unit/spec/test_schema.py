"""The schema, held to the models and to the specs that there are."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from osmo.spec.prepared import prepare
from osmo.spec.render import render
from osmo.spec.schema import DESCRIPTIONS, schema

TOP = Path(__file__).parents[3]
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)
SPECS = sorted(TOP.glob("examples/**/*.yaml"))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.name)
def test_an_example_fits(spec: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(prepare(spec, render=render).text))


ALL: dict[str, Any] = {
    "version": 2,
    "default-values": {"a": 1},
    "workflow": {
        "name": "w",
        "pool": "p",
        "backend": "b",
        "labels": {"a": "b"},
        "timeout": {"exec_timeout": 30, "queue_timeout": "1h"},
        "resources": {
            "default": {
                "cpu": 1,
                "gpu": "{{ gpu }}",
                "memory": "1Gi",
                "storage": 5,
                "platform": "p",
                "nodesExcluded": ["n"],
                "topology": [{"key": "rack", "group": "g", "requirementType": "preferred"}],
            }
        },
        "groups": [
            {
                "name": "g",
                "barrier": True,
                "ignoreNonleadStatus": False,
                "tasks": [
                    {
                        "name": "a",
                        "lead": True,
                        "image": "i",
                        "command": ["x", 1, 1.5],
                        "args": ["x", 1],
                        "environment": {"A": True, "B": 1, "C": "c"},
                        "files": [{"path": "f", "contents": "", "base64": True}, {"path": "g", "localpath": "g"}],
                        "inputs": [{"task": "wf-1:t", "regex": ".*"}, {"url": "s3://b"}],
                        "outputs": [{"url": "s3://b", "regex": "x"}],
                        "checkpoint": [
                            {"path": "p", "url": "s3://b", "frequency": 1, "regex": "", "keep": 2, "restore": True}
                        ],
                        "exitActions": {"COMPLETE": 0, "FAIL": "1-9", "RESCHEDULE": [11, "13-15"]},
                        "resource": "default",
                        "credentials": {"a": "/a", "b": {"A": "key"}},
                        "volumeMounts": ["/a:/b"],
                        "privileged": False,
                        "hostNetwork": False,
                        "kpis": [{"index": "i", "path": "p"}],
                        "cacheSize": "1Gi",
                        "downloadType": "download",
                        "backend": "b",
                        "resources": {},
                    }
                ],
            }
        ],
    },
}


def test_every_field_fits_and_is_described() -> None:
    VALIDATOR.validate(ALL)
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
