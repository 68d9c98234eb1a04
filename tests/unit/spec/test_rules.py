import textwrap
from pathlib import Path

import pytest

from osmo.spec.document import parse
from osmo.spec.place import Place
from osmo.spec.problem import Problem, field_name
from osmo.spec.rules import Findings, findings
from osmo.spec.salvage import salvage

HOME = "/home/me/osmo"
PLACE = Place({"HOME": "/home/me", "DATA": "/data"}, "/proj", HOME)
LINKS = {"/link": "/home", "/link/ckpt": "/home/ckpt"}


def found(tasks: str, place: Place = PLACE) -> Findings:
    document = parse(f"workflow:\n  name: w\n  tasks:\n{textwrap.indent(textwrap.dedent(tasks), '  ')}")
    return findings("w", salvage(document, Path("/nowhere"), {}).tasks, place, lambda path: LINKS.get(path, path))


def said(problems: list[Problem]) -> list[str]:
    return [f"{field_name(problem.field).removeprefix('workflow.')}: {problem.text}" for problem in problems]


def checkpoints(*entries: str) -> str:
    return "- name: a\n  checkpoint:\n" + "".join(f"  - {{frequency: 30, {entry}}}\n" for entry in entries)


@pytest.mark.parametrize(
    "tasks",
    [
        checkpoints("path: /a/ckpt, url: 's3://b/x'", "path: /a/logs, url: 's3://b/x'"),
        checkpoints("path: /a/ckpt, url: 's3://b/x', regex: '.*a'", "path: /a/ckpt/, url: 's3://b/x/', regex: '.*b'"),
        checkpoints("path: /a/ckpt, url: 's3://b/x'", "path: /a/ckpt, url: 's3://b/x', regex: '.*b'"),
        checkpoints("path: /a/ckpt, url: 's3://b/x'", "path: /a/ckpt, url: 's3://b/y'"),
        checkpoints("path: '{{output}}', url: 's3://b/x'", "path: '{{output}}/ckpt', url: 's3://b/x'"),
        checkpoints("path: /data, url: 'file:///database'"),
        checkpoints("path: /data/a, url: 'file:///data/b'"),
        checkpoints("path: /home/me/osmosis, url: 's3://b'"),
        "\n".join(f"- {{name: {name}, files: [{{path: '{{{{output}}}}/f', contents: x}}]}}" for name in "ab"),
    ],
)
def test_nothing_is_wrong_with(tasks: str) -> None:
    assert found(tasks) == Findings([], [])


@pytest.mark.parametrize(
    ("tasks", "problems"),
    [
        # two entries, one destination
        (
            checkpoints("path: /a/ckpt, url: 's3://b/x'", "path: /a/ckpt/, url: 's3://b/x/'"),
            ["tasks[0].checkpoint[1]: has the same path, url and regex as checkpoint[0]: one of them is enough"],
        ),
        (
            checkpoints("path: $DATA/c, url: 's3://b', regex: x", "path: /data/./c, url: 's3://b', regex: x"),
            ["tasks[0].checkpoint[1]: has the same path, url and regex as checkpoint[0]: one of them is enough"],
        ),
        (
            checkpoints("path: /a/ckpt, url: 's3://b/x', regex: x", "path: /z/ckpt, url: 's3://b/x', regex: y"),
            ["tasks[0].checkpoint[1].url: writes to s3://b/x/ckpt/ as checkpoint[0] does, from another path"],
        ),
        (
            checkpoints("path: /a/ckpt, url: 's3://b/x'", "path: /a/ckpt/*, url: 's3://b/x/ckpt'"),
            ["tasks[0].checkpoint[1].url: writes to s3://b/x/ckpt/ as checkpoint[0] does, from another path"],
        ),
        # a store in the path, a path in the store
        (
            checkpoints("path: /data, url: 'file:///data/store'"),
            ["tasks[0].checkpoint[0].url: 'file:///data/store' is inside the path '/data'"],
        ),
        (
            checkpoints("path: /data/*, url: 'file:///data'"),
            ["tasks[0].checkpoint[0].url: 'file:///data' is inside the path '/data/*'"],
        ),
        (
            checkpoints("path: /data/ckpt, url: 'file:///data'"),
            ["tasks[0].checkpoint[0].url: 'file:///data' contains the path '/data/ckpt'"],
        ),
        (
            checkpoints("path: /home/ckpt, url: 'file:///link'"),
            ["tasks[0].checkpoint[0].url: 'file:///link' contains the path '/home/ckpt'"],
        ),
        # the run directory
        *(
            (
                checkpoints(f"path: '{path}', url: 's3://b'"),
                [f"tasks[0].checkpoint[0].path: '{shown}' contains the run directory, which is below {HOME}"],
            )
            for path, shown in [
                ("/", "/"),
                ("/*", "/*"),
                ("~", "/home/me"),
                ("~/osmo", HOME),
                ("/home/*", "/home/*"),
                ("/link", "/link"),
                ("~/osmo/workflows", f"{HOME}/workflows"),
                ("~/osmo/workflows/{{workflow_id}}", f"{HOME}/workflows/w-1"),
            ]
        ),
        (
            checkpoints("path: '{{output}}/..', url: 's3://b'"),
            [
                (
                    f"tasks[0].checkpoint[0].path: '{HOME}/workflows/w-1/tasks/a/0' is in the run directory, "
                    "but not in {{output}}"
                )
            ],
        ),
        # places that are not known
        (
            checkpoints("path: $NOPE, url: 's3://b'"),
            ["tasks[0].checkpoint[0].path: '$NOPE': the variable NOPE is not set"],
        ),
        (
            "- {name: a, files: [{path: $NOPE/x, contents: x}]}",
            ["tasks[0].files[0].path: '$NOPE/x': the variable NOPE is not set"],
        ),
        # one file, two writers
        (
            "- {name: a, files: [{path: /x/../f, contents: x}, {path: /f, contents: x}]}",
            ["tasks[0].files[1].path: '/f' is the path of files[0] too"],
        ),
        (
            "- {name: a, files: [{path: f, contents: x}]}\n- {name: b, files: [{path: /proj/f, contents: x}]}",
            [
                (
                    "tasks[1].files[0].path: tasks 'a' and 'b' both write '/proj/f' on one host: {{output}}/... is "
                    "each task's own"
                )
            ],
        ),
    ],
)
def test_what_is_wrong(tasks: str, problems: list[str]) -> None:
    assert said(found(tasks).problems) == problems


def test_a_task_without_a_valid_environment_is_not_placed() -> None:
    assert (
        found("- {name: a, environment: {A: }, checkpoint: [{path: $A, url: 's3://b', frequency: 1}]}").problems == []
    )


@pytest.mark.parametrize(
    ("tasks", "warnings"),
    [
        (
            checkpoints("path: /a/ckpt, url: 's3://b/x'")
            + checkpoints("path: /z/ckpt/, url: 's3://b/x/'").replace("name: a", "name: b"),
            [
                (
                    "tasks[1].checkpoint[0].url: tasks 'a' and 'b' write to s3://b/x/ckpt/: plain files of "
                    "equal name overwrite each other"
                )
            ],
        ),
        (
            "".join(
                checkpoints("path: /a/ckpt, url: 's3://b/x'").replace("name: a", f"name: rank{number}")
                for number in range(8)
            ),
            [
                (
                    "tasks[1].checkpoint[0].url: tasks 'rank0' and 'rank1' and 6 more write to s3://b/x/ckpt/: "
                    "plain files of equal name overwrite each other"
                )
            ],
        ),
        (
            checkpoints("path: '/a/*.pt', url: 's3://b'"),
            [
                (
                    "tasks[0].checkpoint[0].path: '*' is a letter of the name here: choose files with regex, or end "
                    "the path with /*"
                )
            ],
        ),
        (
            checkpoints("path: /a, url: 's3://b/$USER/x'"),
            ["tasks[0].checkpoint[0].url: '$USER' is not expanded in a url"],
        ),
        (
            checkpoints("path: /a, url: 's3://b', regex: '(a+)+$'"),
            [
                (
                    "tasks[0].checkpoint[0].regex: '(a+)+$' repeats a repeat: some names may take it forever, and "
                    "nothing is saved meanwhile"
                )
            ],
        ),
        (
            "- {name: a, checkpoint: [{path: /a, url: 's3://b', frequency: 500ms}]}",
            ["tasks[0].checkpoint[0].frequency: every 0.5 s is often: each time the whole folder is looked through"],
        ),
    ],
)
def test_what_deserves_a_warning(tasks: str, warnings: list[str]) -> None:
    findings = found(tasks)
    assert findings.problems == []
    assert said(findings.warnings) == warnings


BOXED = Place({"HOME": "/home/me"}, "/tmp/proj", HOME, "auto", frozenset({"home", "usr"}))


@pytest.mark.parametrize(
    ("path", "is_shared"), [("/tmp/run.sh", False), ("/workspace/a", False), ("/home/a", True), ("/tmp/proj/a", True)]
)
def test_in_a_sandbox_a_path_is_a_task_s_own_unless_it_is_the_machine_s(path: str, is_shared: bool) -> None:
    tasks = "\n".join(f"- {{name: {name}, image: i, files: [{{path: {path}, contents: x}}]}}" for name in "ab")
    assert bool(found(tasks, BOXED).problems) is is_shared
    assert found(tasks.replace("image: i, ", ""), BOXED).problems


def test_a_private_folder_neither_holds_nor_lies_in_a_store_of_the_machine() -> None:
    tasks = checkpoints("path: /tmp, url: 'file:///tmp/store'")
    assert found(tasks, BOXED).problems
    assert not found(tasks.replace("name: a", "name: a\n  image: i"), BOXED).problems
