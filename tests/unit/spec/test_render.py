import pytest

from osmo.spec.render import render
from osmo.spec.template import TemplateProblem


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("plain", "plain"),
        ("{{ n }} {{n + 1}} {{ name|upper }}\n", "3 4 BOB\n"),
        ("{% for i in range(n) %}{{ i }},{% endfor %}", "0,1,2,"),
        ("{% if debug %}x{% else %}y{% endif %}{# no #}", "y"),
        ("{% raw %}{{ n }}{% endraw %}", "{{ n }}"),
        ("{{ lists[0].a }}", "1"),
        # our tokens stay, as they are written
        ("{{output}} {{workflow_id}} {{uuid}}", "{{output}} {{workflow_id}} {{uuid}}"),
        ("{{ output }} {{ workflow_id }}", "{{output}} {{workflow_id}}"),
        (
            "{{input:0}} {{ input:my-task }} {{host:a_b}} {{\thost:a }}",
            "{{input:0}} {{ input:my-task }} {{host:a_b}} {{\thost:a }}",
        ),
        ("{% set x = '{{output}}/a' %}{{ x }}", "{{output}}/a"),
        ("{% set x = output ~ '/a' %}{{ x }}", "{{output}}/a"),
        ("{% raw %}{{input:0}}{% endraw %}", "{{input:0}}"),
        ("{% for output in [1, 2] %}{{ output }}{{output}}{% endfor %}", "1{{output}}2{{output}}"),
        ("{{ '{{' }}host:worker-{{ n }}{{ '}}' }}", "{{host:worker-3}}"),
        ("OSMOTOKEN0E {{output}} OSMOTOKENX", "OSMOTOKEN0E {{output}} OSMOTOKENX"),
    ],
)
def test_what_becomes_of_a_template(text: str, rendered: str) -> None:
    values = {"n": 3, "name": "bob", "debug": False, "lists": [{"a": 1}]}
    assert render(text, values).text == rendered


def test_it_is_known_which_variables_are_used() -> None:
    assert render("{{ a }} {{output}} {{ output }} {% for b in c %}{{ b }}{% endfor %}", {"a": 1, "c": []}).used == {
        "a",
        "c",
    }


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a\n{{ nope }}", 2, "'nope' is not defined"),
        ("{{ d.x }}", 1, "'dict object' has no attribute 'x'"),
        ("a\nb\n{% for %}", 3, "not a valid template: Expected an expression, got 'end of statement block'"),
        ("{% if 1 %}", 1, "not a valid template: Unexpected end of template"),
        ("{% frob %}", 1, "not a valid template: Encountered unknown tag 'frob'"),
        ("echo ${#list[@]}", 1, "{# begins a comment of the template, which does not end"),
        ("{{ 1 / 0 }}", 1, "the template fails: division by zero"),
        ("{{ 'a' + 1 }}", 1, "the template fails: can only concatenate str"),
        ("{% include 'x' %}", 1, "a template may not include, import or extend others"),
        ("{{ range(200000) }}", 1, "a template may not use a range() of more than 100000 numbers"),
        ("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}", 1, "the template calls itself without an end"),
        ("{{ ''|frob }}", 1, "not a valid template: No filter named 'frob'"),
        ("{{ '\\ud800' }}", None, "the template makes what is not Unicode text: half of a surrogate pair"),
        # ways out of the sandbox
        ("{{ ''.__class__ }}", 1, "a template may not use '__class__' of 'str'"),
        ("{{ ''['__class__'] }}", 1, "a template may not use '__class__'"),
        ("{{ ''|attr('__class__') }}", 1, "a template may not use '__class__'"),
        ("{{ d.__init__.__globals__ }}", 1, "a template may not use '__init__'"),
        ("{{ cycler.__init__ }}", 1, "a template may not use '__init__'"),
        ("{{ '{0.__class__}'.format(1) }}", 1, "a template may not use '__class__'"),
        ("{{ d.update({'a': 1}) }}", 1, "a template may not use 'update' of 'dict'"),
    ],
)
def test_what_is_wrong_with_a_template(text: str, line: int | None, problem: str) -> None:
    with pytest.raises(TemplateProblem) as error:
        render(text, {"d": {}})
    assert str(error.value).startswith(problem)
    assert "\n" not in str(error.value)
    assert error.value.line == line


def test_more_than_10_mib_are_not_rendered() -> None:
    with pytest.raises(TemplateProblem, match="the template makes more than 10 MiB"):
        render("{% for i in range(2000) %}{{ a }}{% endfor %}", {"a": "x" * 10_000})
