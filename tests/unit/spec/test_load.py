import textwrap
from pathlib import Path

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from osmo.errors import SpecError
from osmo.spec import load as loader
from osmo.spec.given import Given, given
from osmo.spec.load import Checked
from osmo.spec.place import Place, entries, files
from osmo.spec.prepared import prepare
from osmo.spec.render import render
from osmo.spec.tokens import resolve
from osmo.spec.workflow import Workflow

PLACE = Place({"HOME": "/home/me"}, "/proj", "/home/me/.local/share/osmo")

GOOD = """\
workflow:
  name: digits
  tasks:
  - name: train
    image: python:3.12
    command: [bash, -c]
    args: ["python train.py", 3]
    environment: &shared
      OUT: "{{output}}/models"
      DEBUG: true
    files:
    - path: "{{output}}/train.py"
      localpath: train.py
    checkpoint:
    - path: $OUT/latest/
      url: s3://models/{{workflow_id}}/
      frequency: 1h30m
    - {path: "~/logs/*", url: "file:///backup/logs", frequency: 30, regex: .*\\.log}
  - name: report
    environment: *shared
"""


def check(path: Path, place: Place, text: str | None = None, said: Given | None = None) -> Checked:
    """Templates are rendered in this process: no test here has one that never ends."""
    return loader.check(prepare(path, said, text, render), place)


def load(path: Path, text: str | None = None) -> Workflow:
    return loader.load(path, text, render)


def problems(text: str, place: Place | None = PLACE) -> list[str]:
    path, text = Path("train.yaml"), textwrap.dedent(text)
    with pytest.raises(SpecError) as error:
        _ = load(path, text) if place is None else check(path, place, text)
    return list(error.value.problems)


def test_a_spec_from_its_file_to_entries(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(GOOD)
    (tmp_path / "train.py").write_text("print('{{workflow_id}}')")
    checked = check(tmp_path / "spec.yaml", PLACE)
    assert checked.warnings == ()
    assert checked.text == GOOD
    assert checked.workflow == load(tmp_path / "spec.yaml")
    train, report = (
        resolve(task, {"output": "/run/data", "workflow_id": "digits-7"}) for task in checked.workflow.tasks
    )
    assert train.args == ("python train.py", "3")
    assert [(file.path, file.data) for file in files(train, PLACE)] == [("/run/data/train.py", b"print('digits-7')")]
    assert [(entry.path, entry.url, entry.frequency_s, entry.regex) for entry in entries(train, PLACE)] == [
        ("/run/data/models/latest", "s3://models/digits-7", 5400.0, ""),
        ("/home/me/logs/*", "file:///backup/logs", 30.0, r".*\.log"),
    ]
    assert (report.command, report.environment) == ((), {"OUT": "/run/data/models", "DEBUG": "True"})


def test_all_problems_are_said_at_once_and_in_file_order() -> None:
    text = """\
        version: 3
        workflow:
          name: w
          tasks:
          - name: train
            command: bash
            lead: maybe
            checkpoint:
            - path: /home
              url: azure://b
              frequency: 10m
            - url: s3://b/x
              frequency: 10x
              regex: "[a"
            - path: /home
              url: s3://b/x
              frequncy: 10m
            - {path: /home, url: "s3://b/y", frequency: 10m}
          - name: Train
            command: ["{{input:x}}"]
            files:
            - {path: f, localpath: nowhere/f}
            - {path: g, contents: "#", base64: true}
            - {path: g, contents: ""}
            name: b
        """
    assert problems(text) == [
        "train.yaml:1:10: version: 3 is not a version of the spec (accepted: 2)",
        'train.yaml:6:14: workflow.tasks[0].command: must be a list, not text: ["bash", "-c", "..."]',
        "train.yaml:7:11: workflow.tasks[0].lead: must be true or false, not 'maybe'",
        (
            "train.yaml:10:12: workflow.tasks[0].checkpoint[0].url: 'azure://b' names no container (accepted: "
            "azure://account/container/path)"
        ),
        "train.yaml:12:7: workflow.tasks[0].checkpoint[1].path: is required, and missing",
        (
            "train.yaml:13:18: workflow.tasks[0].checkpoint[1].frequency: '10x' is not a duration (accepted: 30, 30s, "
            "10m, 2h, 1d, 1h30m, ISO 8601 PT10S)"
        ),
        (
            "train.yaml:14:14: workflow.tasks[0].checkpoint[1].regex: '[a' is not a regular expression: unterminated "
            "character set at position 0"
        ),
        "train.yaml:15:7: workflow.tasks[0].checkpoint[2].frequency: is required, and missing",
        (
            "train.yaml:17:7: workflow.tasks[0].checkpoint[2].frequncy: unknown field 'frequncy' (did you mean "
            "'frequency'?)"
        ),
        (
            "train.yaml:18:14: workflow.tasks[0].checkpoint[3].path: '/home' contains the run directory, which is "
            "below /home/me/.local/share/osmo"
        ),
        ("train.yaml:20:15: workflow.tasks[1].command[0]: {{input:x}}: this task has no such input (it has none)"),
        "train.yaml:22:28: workflow.tasks[1].files[0].localpath: 'nowhere/f' does not exist",
        "train.yaml:23:27: workflow.tasks[1].files[1].contents: is not base64",
        "train.yaml:24:14: workflow.tasks[1].files[2].path: '/proj/g' is the path of files[1] too",
        "train.yaml:25:5: workflow.tasks[1].name: is set twice, in line 19 and in line 25",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "train.yaml: is empty: a spec begins with `workflow:`"),
        (
            "a: b: c",
            (
                "train.yaml:1:5: not valid YAML: a ':' is not expected here: look at the indentation, or put the "
                "value in quotes"
            ),
        ),
        ("- a", "train.yaml:1:1: a spec is a mapping that begins with `workflow:`, not a list"),
        ("text", "train.yaml:1:1: a spec is a mapping that begins with `workflow:`, not 'text'"),
        ("{}", "train.yaml:1:1: workflow: is required, and missing"),
        ("workflow:", "train.yaml:1:10: workflow: must be a mapping, not null"),
        ("workflow: {name: w, tasks: []}", "train.yaml:1:28: workflow.tasks: needs at least one task"),
        ("workflow: {name: w}", "train.yaml:1:11: workflow: needs tasks, or groups"),
        ("workflow: {name: w, groups: []}", "train.yaml:1:29: workflow.groups: needs at least one group"),
        (
            "workflow: {name: w, groups: [{name: g, tasks: []}]}",
            "train.yaml:1:47: workflow.groups[0].tasks: needs at least one task",
        ),
        (
            "workflow: {name: w, tasks: [{name: a}], groups: [{name: g, tasks: [{name: b}]}]}",
            "train.yaml:1:41: workflow.groups: is there besides tasks: a workflow has groups or tasks",
        ),
        (
            "workflow: {name: w, tasks: [{name: a, inputs: [{task: b}]}]}",
            "train.yaml:1:55: workflow.tasks[0].inputs[0].task: there is no task 'b' (known: a)",
        ),
        (
            "workflow: {name: w, groups: [{name: g, tasks: [{name: a, kpi: []}]}]}",
            "train.yaml:1:58: workflow.groups[0].tasks[0].kpi: unknown field 'kpi' (did you mean 'kpis'?)",
        ),
        (
            "workflow: {name: w, tasks: [{name: yes}]}",
            "train.yaml:1:36: workflow.tasks[0].name: must be text, and YAML reads yes as true: put it in quotes",
        ),
        (
            "workflow: {name: w, tasks: [{name: a}, {name: A}]}",
            "train.yaml:1:47: workflow.tasks[1].name: another task is named 'a', which OSMO takes for the same as 'A'",
        ),
        (
            "workflow: {name: w, tasks: [{name: a, checkpoint: [{path: /a, url: 's3://b', frequency: '{{f}}'}]}]}",
            "train.yaml:1: 'f' is not defined: set it in default-values, or with --set f=...",
        ),
    ],
)
def test_one_mistake_is_one_line(text: str, line: str) -> None:
    assert problems(text, None) == [line]
    assert problems(text) == [line]


def test_a_local_file_is_no_template(tmp_path: Path) -> None:
    (tmp_path / "x.sh").write_text("echo {{output}} {{ name }} {% raw {{input:7}}")
    spec = tmp_path / "s.yaml"
    spec.write_text("workflow: {name: w, groups: [{name: g, tasks: [{name: a, files: [{path: x, localpath: x.sh}]}]}]}")
    [task] = load(spec).tasks
    assert resolve(task, {"output": "/o"}).files[0].data == b"echo /o {{ name }} {% raw {{input:7}}"


def test_labels_of_the_command_line_count_too() -> None:
    text = "workflow: {name: w, labels: {a: b}, tasks: [{name: a}]}"
    more = [f"l{number}=x" for number in range(16)]
    assert check(Path("w.yaml"), PLACE, text, given(labels=more[1:])).workflow.labels["l15"] == "x"
    with pytest.raises(SpecError, match=r"^w.yaml: has 17 labels with those of --label: at most 16$"):
        check(Path("w.yaml"), PLACE, text, given(labels=more))


def test_a_variable_of_the_command_line_is_the_task_s_own_when_its_paths_are_looked_at() -> None:
    text = "workflow: {name: w, tasks: [{name: a, checkpoint: [{path: $D/c, url: 's3://b', frequency: 1}]}]}"
    workflow = check(Path("w.yaml"), PLACE, text, given(variables=["D=/data"])).workflow
    assert workflow.tasks[0].environment == {"D": "/data"}
    assert entries(workflow.tasks[0], PLACE)[0].path == "/data/c"


def test_what_only_a_cluster_applies_is_said_in_one_line() -> None:
    text = """\
        workflow:
          name: w
          pool: gpus
          resources: {default: {cpu: 1, platform: dgx}}
          tasks:
          - name: a
            privileged: true
            hostNetwork: "false"
          - name: b
            privileged: true
            credentials: {c: /c}
        """
    assert check(Path("w.yaml"), PLACE, textwrap.dedent(text)).warnings == (
        "w.yaml:3:3: workflow.pool: not applied on this machine: pool, platform, privileged, credentials",
    )


def test_what_depends_on_the_place_is_checked_with_one_only() -> None:
    text = "workflow: {name: w, tasks: [{name: a, checkpoint: [{path: $NOPE, url: 's3://b', frequency: 1}]}]}"
    assert load(Path("s.yaml"), text).tasks[0].checkpoint[0].path == "$NOPE"
    assert problems(text) == [
        "train.yaml:1:59: workflow.tasks[0].checkpoint[0].path: '$NOPE': the variable NOPE is not set"
    ]


def test_warnings_are_lines_too_and_no_error() -> None:
    text = """\
        workflow:
          name: w
          tasks:
          - name: a
            args: [1.10]
            command: [x]
            checkpoint: [{path: /a/c, url: "s3://b", frequency: 0.5}]
          - name: b
            checkpoint: [{path: /b/c, url: "s3://b", frequency: 1}]
        """
    assert check(Path("w.yaml"), PLACE, textwrap.dedent(text)).warnings == (
        "w.yaml:5:12: workflow.tasks[0].args[0]: YAML reads 1.10 as 1.1: put it in quotes to keep it",
        (
            "w.yaml:7:57: workflow.tasks[0].checkpoint[0].frequency: every 0.5 s is often: each time the whole folder "
            "is looked through"
        ),
        (
            "w.yaml:9:36: workflow.tasks[1].checkpoint[0].url: tasks 'a' and 'b' write to s3://b/c/: plain files "
            "of equal name overwrite each other"
        ),
    )


def test_the_same_mistake_behind_an_alias_is_where_it_is_written() -> None:
    text = """\
        workflow:
          name: w
          tasks:
          - {name: a, checkpoint: &c [{path: /a, url: "s3://b", frequency: 0}]}
          - {name: b, checkpoint: *c}
        """
    zero = "0 is not a duration: it must be longer than zero (accepted: 30, 30s, 10m, 2h, 1d, 1h30m, ISO 8601 PT10S)"
    assert problems(text) == [
        f"train.yaml:4:68: workflow.tasks[{number}].checkpoint[0].frequency: {zero}" for number in (0, 1)
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nope.yaml: no such file$"):
        load(tmp_path / "nope.yaml")


WORDS = ["workflow", "name", "tasks", "checkpoint", "path", "url", "frequency", "files", "contents", "environment"]
YAML = st.recursive(
    st.sampled_from(
        [*WORDS, "s3://b", "/a", "{{output}}", "1:30", "on", "", "~", "!!int x", "*a", "&a x", "'", "\t", "|"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
        )
    ),
    max_leaves=12,
)


@given_any(
    YAML | st.text() | YAML.map(lambda text: f"workflow: {{name: w, tasks: [{{name: a, checkpoint: [{text}]}}]}}")
)
def test_any_text_is_a_workflow_or_lines_that_say_why_not(text: str) -> None:
    try:
        check(Path("f.yaml"), PLACE, text)
    except SpecError as error:
        assert error.problems
        for line in error.problems:
            assert line.startswith(("f.yaml:", "f.yaml (rendered):"))
            assert line.isprintable()
