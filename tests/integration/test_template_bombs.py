"""Templates that would take all time or all memory are stopped, whatever they do."""

import pytest

from osmo.spec import bounded
from osmo.spec.template import TemplateProblem

LOOP = "{% for i in range(99999) %}"


def test_a_template_is_rendered_in_a_process_of_its_own() -> None:
    rendered = bounded.render("{{ a }} {{output}} ä {{ b[0] }}\n", {"a": "ö\n", "b": [1.5]})
    assert rendered.text == "ö\n {{output}} ä 1.5\n"
    assert rendered.used == {"a", "b"}
    with pytest.raises(TemplateProblem, match=r"^'nope' is not defined$") as error:
        bounded.render("\n{{ nope }}", {})
    assert error.value.line == 2


@pytest.mark.parametrize(
    "text",
    [
        LOOP * 3 + "{% endfor %}" * 3,
        LOOP * 2 + "{% set x = i %}{% endfor %}{% endfor %}",
        "{{ 10 ** (10 ** 9) }}",
        "{% set ns = namespace(x=2) %}" + LOOP + "{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ [0] * 10 ** 10 }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ 'x'.center(10 ** 10) }}",
        "{{ lipsum(10 ** 7) }}",
        "{% set ns = namespace(x='aaaaaaaa') %}" + LOOP + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        LOOP + "{{ 'a' * 1000 }}{% endfor %}",
    ],
    ids=lambda text: text[:40],
)
def test_a_bomb_does_not_go_off(text: str) -> None:
    with pytest.raises(TemplateProblem) as error:
        bounded.render(text, {})
    said = str(error.value)
    assert "\n" not in said
    assert any(
        words in said
        for words in (
            "takes more than a second of CPU time",
            "needs too much memory",
            "makes more than 10 MiB",
            "calls itself without an end, or is nested too deeply",
        )
    ), said
