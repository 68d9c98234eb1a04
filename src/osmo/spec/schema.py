"""The JSON Schema of a spec file, for editors: which fields there are, what each may hold, what it means.

It knows less than `osmo workflow validate`: no rule that takes more than one place of the spec, or the machine.
"""

from typing import Any, Final

from osmo.spec.scalars import NAME, NAME_LENGTH
from osmo.spec.written import SpecFile

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_NAMES: Final = {
    "SpecFile": "spec",
    "WrittenWorkflow": "workflow",
    "WrittenGroup": "group",
    "CheckpointSpec": "checkpoint",
}
_NAME: Final = {"pattern": f"^{NAME.pattern}$", "maxLength": NAME_LENGTH}
_DURATION: Final = "seconds, or 30s, 10m, 2h, 1d, 1h30m, ISO 8601 PT10S"
_SIZE: Final = "bytes, or 512MiB, 16Gi, 1.5T"

# What the models cannot say of several fields at once.
_MORE: Final[dict[str, dict[str, Any]]] = {
    "workflow": {"oneOf": [{"required": ["tasks"]}, {"required": ["groups"]}]},
    "task": {"dependentRequired": {"args": ["command"]}},
    "file": {"oneOf": [{"required": ["contents"]}, {"required": ["localpath"]}]},
    "input": {"oneOf": [{"required": ["task"]}, {"required": ["url"]}]},
}
_CLUSTER: Final = "not applied on one machine"

DESCRIPTIONS: Final[dict[str, dict[str, str]]] = {
    "spec": {
        "workflow": "what is to be run",
        "version": "the version of the spec: 2",
        "default-values": "variables of the template that this file is",
    },
    "workflow": {
        "name": "runs are called <name>-1, <name>-2 …",
        "pool": f"which machines of a cluster; {_CLUSTER}",
        "backend": f"which cluster; {_CLUSTER}",
        "labels": "at most 16, as Kubernetes allows them",
        "timeout": "how long each group may take",
        "resources": "what tasks may ask of a machine, by name; a task that names none has `default`",
        "groups": "tasks that run together; instead of `tasks`",
        "tasks": "each a group of its own; instead of `groups`",
    },
    "group": {
        "name": "unique among all groups and tasks",
        "barrier": "commands start when all tasks of the group are ready",
        "ignoreNonleadStatus": "the group's end is that of its lead, however the others end",
        "tasks": "they run at the same time; one of several says `lead: true`",
    },
    "timeout": {
        "exec_timeout": f"how long a group may run: {_DURATION}",
        "queue_timeout": f"how long it may wait for its turn: {_DURATION}",
    },
    "resource": {
        "cpu": "cores",
        "gpu": "devices, its own",
        "memory": _SIZE,
        "storage": f"{_SIZE}; {_CLUSTER}",
        "platform": f"which kind of machine; {_CLUSTER}",
        "nodesExcluded": f"machines that it must not run on; {_CLUSTER}",
        "topology": f"which tasks should be close to each other; {_CLUSTER}",
    },
    "topology": {
        "key": "the level: rack, zone …",
        "group": "tasks of the same group are placed together",
        "requirementType": "required or preferred",
    },
    "task": {
        "name": "unique among all groups and tasks",
        "lead": "the group ends with this task",
        "image": "the container image",
        "command": "the program and its first arguments; without one, the task only saves what is there",
        "args": "more arguments",
        "environment": "variables of the command; $(NAME) is one before it",
        "files": "made before the command starts",
        "inputs": "brought before the command starts, to {{input:0}}, {{input:1}} …",
        "outputs": "where {{output}} goes when the command has ended",
        "checkpoint": "paths that are saved while the command runs, and once more when it has ended",
        "exitActions": "what exit codes mean",
        "resource": "the name of one of the workflow's resources",
        "credentials": f"a directory to mount it at, or variables and the credential's keys; {_CLUSTER}",
        "volumeMounts": f"/source or /source:/destination; {_CLUSTER}",
        "privileged": _CLUSTER,
        "hostNetwork": _CLUSTER,
        "kpis": f"measurements in files of {{{{output}}}}; {_CLUSTER}",
        "cacheSize": _CLUSTER,
        "downloadType": f"download; {_CLUSTER}",
        "backend": _CLUSTER,
        "resources": f"of older specs; {_CLUSTER}",
    },
    "file": {
        "path": "where it is made",
        "contents": "its text",
        "localpath": "a file to copy, from the spec's directory on",
        "base64": "the contents are base64 of its bytes",
    },
    "input": {
        "task": "a task whose output it is, written above; or one of a run that has ended: wf-1:task",
        "url": "a data store's: s3://bucket/path, file:///absolute/path",
        "regex": "only files whose name it matches from the beginning",
    },
    "output": {
        "url": "a data store's: s3://bucket/path, file:///absolute/path",
        "regex": "only files whose name it matches from the beginning",
    },
    "kpi": {"index": "its name", "path": "a file in {{output}}"},
    "checkpoint": {
        "path": "a folder, a file, or folder/*; relative to the task's working directory",
        "url": "a data store's: s3://bucket/path, file:///absolute/path",
        "frequency": f"the wait from one checkpoint's end to the next one's beginning: {_DURATION}",
        "regex": "only files whose name it matches from the beginning",
        "keep": "how many checkpoints stay restorable",
        "restore": "begin with the newest checkpoint: true, false, or retry: in all attempts but the first",
    },
}


def schema() -> dict[str, Any]:
    """The schema, ready to be printed as JSON."""
    raw = SpecFile.model_json_schema(by_alias=True)
    definitions = {_named(name): _model(name, model) for name, model in raw.pop("$defs").items()}
    return {
        "$schema": DIALECT,
        "title": "OSMO workflow spec",
        **_model("SpecFile", raw),
        "$defs": dict(sorted(definitions.items())),
    }


def _named(model: str) -> str:
    return _NAMES.get(model, model.lower())


def _model(name: str, raw: dict[str, Any]) -> dict[str, Any]:
    """One object of the spec, with what is said of its fields."""
    name = _named(name)
    cleaned: dict[str, Any] = _clean(raw)
    cleaned.pop("description", None)
    for field, text in DESCRIPTIONS[name].items():
        value = cleaned["properties"][field]
        cleaned["properties"][field] = {"description": text, **value}
    if name in ("workflow", "group", "task"):
        cleaned["properties"]["name"].update(_NAME)
    return {**cleaned, **_MORE.get(name, {})}


def _clean(value: Any) -> Any:
    """Without what pydantic says for itself: titles, and that a field may be left out by writing null."""
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: each for key, each in value.items() if not (key == "title" and isinstance(each, str))}
    if kept.get("default", ...) in (None, [], {}):
        del kept["default"]
    if "anyOf" in kept:
        kinds = [kind for kind in kept.pop("anyOf") if kind != {"type": "null"}]
        kept.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    if "$ref" in kept:
        kept["$ref"] = f"#/$defs/{_named(kept['$ref'].rpartition('/')[2])}"
    return {key: _clean(each) for key, each in kept.items()}
