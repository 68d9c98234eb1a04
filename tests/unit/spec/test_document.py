import pytest
import yaml

from osmo.spec.document import DocumentError, parse
from osmo.spec.problem import Problem

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
MERGED_BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [1, 1.5, x, true, null, '']", {"a": [1, 1.5, "x", True, None, ""]}),
        ("a: &x {b: 1}\nc: *x\nd: *x", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        ("a: &x {b: 1}\nd: [{<<: *x}, {<<: *x}]", {"a": {"b": 1}, "d": [{"b": 1}, {"b": 1}]}),
        ('a: "{{output}}/x"', {"a": "{{output}}/x"}),
        ("a: x{{output}}", {"a": "x{{output}}"}),
        ("---\na: |\n  one\n  two\n...\n", {"a": "one\ntwo\n"}),
        ("just text", "just text"),
    ],
)
def test_what_yaml_means(text: str, value: object) -> None:
    document = parse(text)
    assert document.value == value
    assert document.problems == []


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", None, "is empty"),
        ("# only a comment\n", None, "is empty"),
        ("---\n", None, "is empty"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a second document begins here"),
        ("a:\n\t- b\n", (2, 1), "a tab cannot indent a line"),
        ("a: b: c\n", (1, 5), "a ':' is not expected here"),
        ("a: 1\nb\n", (3, 1), "a ':' is missing after a field's name"),
        ("a:\n  - b\n c: 1\n", (3, 2), "does not fit the indentation"),
        ("a: @x\n", (1, 4), "must be put in quotes"),
        ("a: 'x\n", (2, 1), "a quote that was opened is not closed"),
        ("a: *nope\n", (1, 4), "undefined alias 'nope'"),
        ("a: b\nc: x\x01y\n", (2, 5), "the character U+0001 is not allowed"),
        ("a: {{output}}/ckpt\n", (1, 4), 'in quotes, like "{{output}}/ckpt"'),
        ("a:\n- {{output}}/ckpt\n", (2, 3), 'in quotes, like "{{output}}/ckpt"'),
        ("a: {{output}}\n", (1, 4), 'in quotes, like "{{output}}/ckpt"'),
        ("? [a]\n: b\n", (1, 3), "a key must be text, not a list or a mapping"),
        ("a: &x [*x]\n", (1, 4), "an alias cannot be part of what it stands for"),
        (BOMB, (10, 5), "the aliases in this value make it too large"),
        (MERGED_BOMB, (18, 16), "the aliases in this value make it too large"),
        ("[" * 5000, None, "is nested too deeply"),
        ("a: &a {<<: 1}\n", (1, 12), "not valid YAML"),
    ],
)
def test_what_is_no_document(text: str, position: tuple[int, int] | None, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        parse(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.position == position


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3:1: a: is set twice, in line 1 and in line 3"),
        ("a:\n- b: 1\n  b: 2\n", "f:3:3: a[0].b: is set twice, in line 2 and in line 3"),
        ("a: &x {b: 1, b: 2}\nc: *x\n", "f:1:14: a.b: is set twice, in line 1 and in line 1"),
        ("on: 1\n", "f:1:1: on: YAML reads this key as true: put it in quotes"),
        ("1: x\n", "f:1:1: 1: YAML reads this key as 1: put it in quotes"),
        ("a: !!python/object x\n", "f:1:4: a: YAML cannot read 'x' as !!python/object: put it in quotes"),
        ("a: !!set {x}\n", "f:1:4: a: the tag '!!set' is not supported"),
        ("a: !own [x]\n", "f:1:4: a: the tag '!own' is not supported"),
        ("a: 2024-13-45\n", "f:1:4: a: YAML cannot read '2024-13-45' as !!timestamp: put it in quotes"),
        ("a: [=]\n", "f:1:5: a[0]: YAML cannot read '=' as !!value: put it in quotes"),
        ('a: "\\ud800"\n', "f:1:4: a: is not Unicode text: it holds half of a surrogate pair"),
    ],
)
def test_what_is_wrong_with_one_value(text: str, line: str) -> None:
    document = parse(text)
    assert [document.line("f", problem) for problem in document.problems] == [line]


def test_a_key_that_is_there_twice_with_the_same_value_is_no_error() -> None:
    document = parse("a: {b: x, c: 1,\n b: x}\n")
    assert document.problems == []
    assert [document.line("f", each) for each in document.warnings] == [
        "f:2:2: a.b: is set twice to the same, in line 1 and in line 2"
    ]
    assert document.value == {"a": {"b": "x", "c": 1}}


TEXT = """\
workflow:
  tasks:
  - name: a
    list: [x, "y"]
  - &b {name: b}
  - *b
"""


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem((), "t"), "f:1:1: t"),
        (Problem(("workflow",), "t"), "f:2:3: workflow: t"),
        (Problem(("workflow",), "t", at_key=True), "f:1:1: workflow: t"),
        (Problem(("workflow", "tasks", 0), "t"), "f:3:5: workflow.tasks[0]: t"),
        (Problem(("workflow", "tasks", 0, "list", 1), "t"), "f:4:15: workflow.tasks[0].list[1]: t"),
        (Problem(("workflow", "tasks", 1, "name"), "t"), "f:5:15: workflow.tasks[1].name: t"),
        (Problem(("workflow", "tasks", 2, "name"), "t"), "f:5:15: workflow.tasks[2].name: t"),
        (Problem(("workflow", "tasks", 0, "missing"), "t"), "f:3:5: workflow.tasks[0].missing: t"),
        (Problem(("workflow", "x y\n"), "bad\x1b[2J\nthing"), "f:2:3: workflow['x y\\n']: bad\\x1b[2J\\nthing"),
    ],
)
def test_a_line_says_where(problem: Problem, line: str) -> None:
    assert parse(TEXT).line("f", problem) == line


def test_what_a_merged_mapping_overrides_is_not_among_the_strings() -> None:
    document = parse("a: &x {b: {c: '{{old}}'}}\nd: {<<: *x, b: new}\n")
    assert sorted(document.strings()) == [(("a", "b", "c"), "{{old}}"), (("d", "b"), "new")]


LARGE = "".join(f"s{number}: {'x' * 1000}\n" for number in range(140))


def test_a_large_text_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{LARGE}s: &s shared\na: {{b: [1, 'x', *s], c: 010}}\n"
    quick = parse(text)
    assert quick.value == yaml.safe_load(text)
    where = ("a", "b", 1)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert quick.position(Problem(where, "")) == parse(text).position(Problem(where, "")) == (142, 12)
    assert quick.written(("a", "c")) == "010"
    assert quick.written(where) is None


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        (f"{LARGE}b:\n  - b\n c: 1\n", (143, 2), "does not fit the indentation"),
        (f"{LARGE}b: {{{{output}}}}/x\n", (141, 4), 'in quotes, like "{{output}}/ckpt"'),
        (f"{LARGE}# ä\nb: \ufffe\n", (142, 4), "the character U+FFFE is not allowed"),
        (f"b: {'[' * 200_000}", None, "is nested too deeply"),
        (f"{LARGE}{BOMB}", (151, 6), "the aliases in this value make it too large"),
    ],
)
def test_a_large_text_that_is_no_document(text: str, position: tuple[int, int] | None, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        parse(text)
    assert message in str(error.value)
    assert error.value.position == position
