"""A corpus of specs with one mistake each, held to the line that a person reads; and texts that nobody thought of."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from osmo.errors import SpecError
from osmo.spec import duration, url
from osmo.spec.load import check
from osmo.spec.place import Place
from osmo.spec.prepared import prepare
from osmo.spec.render import render

PLACE = Place({"HOME": "/home/me"}, "/proj", "/home/me/.local/share/osmo")
CORPUS: dict[str, list[dict[str, str]]] = yaml.safe_load((Path(__file__).parent / "bad_specs.yaml").read_text())
CASES = [
    pytest.param(case["spec"], case["says"], id=f"{section}-{number}")
    for section, cases in CORPUS.items()
    for number, case in enumerate(cases)
]


def said(text: str) -> tuple[str, ...]:
    """What is wrong with a spec; nothing if it can run. Any other exception is a defect."""
    try:
        check(prepare(Path("spec.yaml"), text=text, render=render), PLACE)
    except SpecError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(("spec", "says"), CASES)
def test_a_mistake_is_one_line(spec: str, says: str) -> None:
    line = says.replace("<durations>", duration.ACCEPTED).replace("<urls>", url.ACCEPTED)
    assert said(spec) == (line,)


def test_the_corpus_is_one() -> None:
    specs = [case["spec"] for cases in CORPUS.values() for case in cases]
    assert len({*specs}) == len(specs) >= 150


def task(fields: str) -> str:
    return f"workflow: {{name: w, tasks: [{{name: a, {fields}}}]}}\n"


LAUGHS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
LARGE: Final[dict[str, tuple[Callable[[], str], str]]] = {
    "a billion laughs": (
        lambda: f"l0: &l0 [lol, lol]\n{LAUGHS}workflow: {{name: w, tasks: *l11}}\n",
        "spec.yaml:7:5: the aliases in this value make it too large",
    ),
    "a billion merged keys": (
        lambda: "l0: &l0 {lol: 1}\n" + "".join(f"l{n}: &l{n} {{<<: [*l{n - 1}, *l{n - 1}]}}\n" for n in range(1, 60)),
        "spec.yaml:18:16: the aliases in this value make it too large",
    ),
    "a long text many times": (
        lambda: f"a: &a '{'x' * 100_000}'\nworkflow: {{name: w, tasks: [{'*a, ' * 1000}]}}\n",
        "spec.yaml:2:28: the aliases in this value make it too large",
    ),
    "lists in many lists": (lambda: "[" * 300_000, "spec.yaml: is nested too deeply"),
    "mappings in mappings": (lambda: "{a: " * 5_000, "spec.yaml: is nested too deeply"),
    "indented mappings": (
        lambda: "\n".join(" " * depth + "a:" for depth in range(2_000)),
        "spec.yaml: is nested too deeply",
    ),
    "9 MiB of contents": (
        lambda: task(f"files: [{{path: a, contents: '{'x' * 9 * 1024**2}'}}], zzz: 1"),
        (
            f"spec.yaml:1:{9 * 1024**2 + 73}: workflow.tasks[0].zzz: unknown field 'zzz' (known: name, lead, image, "
            "command, args, environment, files, inputs, outputs, checkpoint, exitActions, resource, credentials, "
            "volumeMounts, privileged, hostNetwork, kpis, cacheSize, downloadType, backend, resources)"
        ),
    ),
    "a number of a million digits": (
        lambda: task(f"exitActions: {{FAIL: {'9' * 1_000_000}}}"),
        (
            f"spec.yaml:1:59: workflow.tasks[0].exitActions.FAIL: YAML cannot read '{'9' * 57}...' as !!int: put it in "
            "quotes"
        ),
    ),
    "a name of a million letters": (
        lambda: f"workflow: {{name: {'a' * 1_000_000}, tasks: [{{name: a}}]}}\n",
        f"spec.yaml:1:18: workflow.name: '{'a' * 57}...' is too long: a name has at most 64 characters",
    ),
    "a million exit codes": (
        lambda: task(f"exitActions: {{FAIL: '{','.join(['1'] * 500_000)}'}}"),
        (
            f"spec.yaml:1:59: workflow.tasks[0].exitActions.FAIL: '{('1,' * 30)[:57]}...' is no exit code "
            "(accepted: 0, '1-9', '3,5-7', [3, '5-7'])"
        ),
    ),
    "a regex in a thousand brackets": (
        lambda: task(f"outputs: [{{url: 's3://b', regex: '{'(' * 5000}{')' * 5000}'}}]"),
        (
            f"spec.yaml:1:72: workflow.tasks[0].outputs[0].regex: '{'(' * 57}...' is not a regular expression: it is "
            "nested too deeply"
        ),
    ),
    "a template that makes 10 MiB": (
        lambda: "{% for i in range(2000) %}" + "x" * 10_000 + "{% endfor %}",
        "spec.yaml: the template makes more than 10 MiB: that is no workflow spec",
    ),
}


@pytest.mark.parametrize(("text", "says"), LARGE.values(), ids=LARGE.keys())
def test_what_is_too_much_is_one_line(text: Callable[[], str], says: str) -> None:
    assert said(text()) == (says,)


def test_a_file_of_more_than_10_mib_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 1024**2 + 1)
    with pytest.raises(SpecError, match=r"spec.yaml: is larger than 10 MiB: that is no workflow spec$"):
        prepare(path)


GOOD = """\
version: 2
default-values: {n: 2, name: w}
workflow:
  name: {{ name }}
  labels: {a: b}
  timeout: {exec_timeout: 1h}
  resources: {big: {cpu: 1, memory: 1Gi, topology: [{key: rack}]}}
  groups:
  - name: first
    barrier: false
    tasks:
    {% for i in range(n) %}
    - name: a{{ i }}
      lead: {{ i == 0 }}
      command: [x, "{{output}}", "{{ host:a1 }}", 1.5]
      environment: {A: "{{uuid}}"}
      files: [{path: "{{output}}/f{{ i }}", contents: "{{workflow_id}}"}]
    {% endfor %}
  - name: second
    tasks:
    - name: b
      inputs: [{task: a0, regex: .*}, {url: "s3://b/x"}]
      outputs: [{url: "s3://b/{{workflow_id}}"}]
      checkpoint: [{path: "{{output}}/c", url: "s3://b/c", frequency: 10m, keep: 2}]
      exitActions: {COMPLETE: 0, RESCHEDULE: "1-9,16"}
      resource: big
      environment: &e {A: b}
      credentials: {c: *e}
      command: [y, "{{input:0}}"]
"""
ODD = (
    *("{{", "}}", "{%", "%}", "{#", "#}", "{", "}", "[", "]", ":", ": ", "- ", ",", "&e ", "*e", "<<: *e", "!!", "!x "),
    *("|", ">", "'", '"', "#", "\t", "\n", "\r", "\n\n", "  ", "---", "...", "%YAML 1.1", "? ", "~", "null", "no", "0"),
    *("010", "1:30", "2024-01-02", ".nan", ".inf", "-1", "1e400", "\0", "\x1b", "\ufeff", "\u2028", "ä", "\U0001f600"),
    *(
        "{{ i }}",
        "{{ nope }}",
        "{{ ''.__class__ }}",
        "{{ 1/0 }}",
        "{{input:9}}",
        "{{host:b}}",
        "{% raw %}",
        "{% endfor %}",
    ),
    *("s3://b", "file:///", "gs://", "../..", "/", "$(A)", "$A", "task: b", "lead: true", "name: b", "zzz: 1", "a0"),
)
LINES = GOOD.splitlines(keepends=True)


def test_the_good_spec_is_one() -> None:
    assert said(GOOD) == ()


@st.composite
def mutilated(draw: st.DrawFn) -> str:
    """The good spec with pieces put in, taken out, swapped or doubled."""
    text = GOOD
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.integers(at, min(len(text), at + draw(st.sampled_from((0, 0, 1, 5, 40))))))
        piece = draw(st.sampled_from((*ODD, *LINES, "")) | st.text(max_size=3))
        text = text[:at] + piece + text[until:]
    return text


@settings(deadline=None, max_examples=150)
@given(mutilated() | st.lists(st.sampled_from((*ODD, *LINES)), max_size=12).map("".join))
def test_whatever_is_written_is_a_workflow_or_lines_that_say_why_not(text: str) -> None:
    for line in said(text):
        assert line.startswith(("spec.yaml:", "spec.yaml (rendered):"))
        assert line.isprintable()
        assert len(line) < 1000
