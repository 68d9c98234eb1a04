"""A spec file as it is written, field by field. What it means as a whole is `osmo.spec.workflow`."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from osmo.spec.scalars import Bytes, Count, Duration, Flag, Labels, Model, Name, Requirement, Text
from osmo.spec.task import Task

VERSION = 2


def _version(version: int) -> int:
    if version != VERSION:
        raise ValueError(f"{version} is not a version of the spec (accepted: {VERSION})")
    return version


class Timeout(Model):
    """How long each group may run, and wait to be run, in seconds."""

    exec_timeout: Duration | None = None
    queue_timeout: Duration | None = None


class Topology(Model):
    """Which tasks of a cluster should be close to each other."""

    key: Text
    group: Text = "default"
    requirement_type: Requirement = Field(default="required", alias="requirementType")


class Resource(Model):
    """What a task needs of a machine; sizes are bytes, None is not said."""

    cpu: Count | None = None
    gpu: Count | None = None
    memory: Bytes | None = None
    storage: Bytes | None = None
    platform: Text | None = None
    nodes_excluded: tuple[Text, ...] = Field(default=(), alias="nodesExcluded")
    topology: tuple[Topology, ...] = ()


class WrittenGroup(Model):
    """Tasks that run at the same time."""

    name: Name
    barrier: Flag = True
    ignore_nonlead_status: Flag = Field(default=True, alias="ignoreNonleadStatus")
    tasks: tuple[Task, ...]


class WrittenWorkflow(Model):
    """Tasks or groups, and what holds for all of them."""

    name: Name
    pool: str | None = None
    backend: Text | None = None
    labels: Labels = Field(default_factory=dict)
    timeout: Timeout = Timeout()
    resources: Mapping[str, Resource] = Field(default_factory=dict)
    groups: tuple[WrittenGroup, ...] | None = None
    tasks: tuple[Task, ...] | None = None


class SpecFile(Model):
    """A whole spec file."""

    workflow: WrittenWorkflow
    version: Annotated[Count, AfterValidator(_version)] = VERSION
    default_values: Mapping[str, object] | None = Field(default=None, alias="default-values")
