import json
from pathlib import Path

import pytest

from osmo.errors import SpecError
from osmo.spec.given import given
from osmo.spec.prepared import Prepared, prepare
from osmo.spec.render import render

PATH = Path("t.yaml")
TEMPLATE = """\
version: 2
default-values:
  n: 2

  # who is greeted
  who: "all"
workflow:
  name: w-{{ n }}
  tasks: {{ who }} {{output}}
"""


def prepared(text: str, *sets: str) -> Prepared:
    return prepare(PATH, given(sets), text, render)


def lines(text: str, *sets: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as error:
        prepared(text, *sets)
    return error.value.problems


def test_default_values_are_put_in_and_do_not_stay() -> None:
    spec = prepared(TEMPLATE)
    assert spec.text == "version: 2\nworkflow:\n  name: w-2\n  tasks: all {{output}}\n"
    assert spec.template == TEMPLATE
    assert spec.name == "t.yaml (rendered)"
    assert "--dry-run" in spec.hint
    assert spec.warnings == ()


def test_the_command_line_wins_over_default_values() -> None:
    assert "name: w-7\n" in prepared(TEMPLATE, "n=7").text
    assert prepare(PATH, given(["n=7"], ["n=08"]), TEMPLATE, render).text.count("w-08") == 1


@pytest.mark.parametrize("text", ["a: 1\n", 'a: "{{output}}/x"\n', "a: '{{ input:0 }}'\n", "a: 'x}}'"])
def test_a_spec_that_is_no_template_is_left_alone(text: str) -> None:
    def never(text: str, values: object) -> None:
        raise AssertionError

    assert prepare(PATH, None, text, never) == Prepared(PATH, text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "block",
    [
        "default-values: {n: 1,\n  m: 2\n}\n",
        "default-values:\n  n: 1\n",
        "'default-values': {n: 1}",
        "default-values:\n\n# note\n  n: 1\n# more",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_where_default_values_end(block: str, first: bool) -> None:
    rest = "a: {{ n }}\nb: x\n"
    text = f"{block.rstrip()}\n{rest}" if first else rest + block
    assert prepared(text).text == "a: 1\nb: x\n"


def test_default_values_without_a_template_go_too() -> None:
    assert prepared("a: 1\ndefault-values: {n: 1}\nb: 2").text == "a: 1\nb: 2"
    assert prepared("default-values:\na: 1").text == "a: 1"


def test_a_spec_in_json_has_default_values_too() -> None:
    text = json.dumps({"workflow": {"name": "{{ n }}"}, "default-values": {"n": "w"}})
    assert json.loads(prepared(text).text)["workflow"] == {"name": "w"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "default-values:\n  rate: 1\na:\n  b: {{ rat }}\n",
            "t.yaml:4: 'rat' is not defined: did you mean 'rate'? Else set it in default-values, or with --set rat=...",
        ),
        ("a: 1\nb: {{ 1 +\n", "t.yaml:2: not a valid template: unexpected 'end of template'"),
        ("a: 1\ndefault-values: [n]\n", "t.yaml:2:17: default-values: must be a mapping, not a list"),
        (
            "a: 1\ndefault-values:\n  n: 1\n  n: 2\n",
            "t.yaml:4:3: default-values.n: is set twice, in line 3 and in line 4",
        ),
        ("default-values:\n  no: 1\n", "t.yaml:2:3: default-values.no: YAML reads this key as false: put it in quotes"),
        ("default-values:\n\t- a\n", "t.yaml:2:1: not valid YAML: a tab cannot indent a line: use spaces"),
    ],
)
def test_what_is_wrong_is_said_with_the_line_of_the_file(text: str, line: str) -> None:
    assert lines(text) == (line,)


def test_values_that_nobody_asks_for_are_a_warning() -> None:
    assert prepared("a: {{ rate }}", "rate=1", "rat=2").warnings == (
        "--set rat: the spec has no variable of that name (did you mean 'rate'?)",
    )
    assert prepared("a: 1", "lr=1").warnings == ("--set lr: the spec has no variable of that name (it has none)",)


def test_a_default_value_that_yaml_changes_is_a_warning() -> None:
    assert prepared("default-values:\n  version: 22.10\na: {{ version }}").warnings == (
        "t.yaml:2:12: default-values.version: YAML reads 22.10 as 22.1: put it in quotes to keep it",
    )


def test_a_default_value_for_one_of_osmo_s_own_tokens_is_left_out() -> None:
    spec = prepared("default-values:\n  output: x\na: {{output}} {{ output }}")
    assert spec.text == "a: {{output}} {{output}}"
    assert spec.warnings == ("t.yaml:2:3: default-values.output: {{output}} is one of osmo's own and stays what it is",)
