import pytest

from osmo.spec.expansion import expand, expanded
from osmo.spec.task import Task


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain $A ${A}", "plain $A ${A}"),
        ("$(A)/$(B)", "one/two"),
        ("x$(A)x", "xonex"),
        ("$(C)", "$(A)"),
        ("$(date) $(NOPE) $()", "$(date) $(NOPE) $()"),
        ("$$(A) $$(date)", "$(A) $(date)"),
        ("kill $$; echo $(", "kill $$; echo $("),
        ("$(echo $(A))", "$(echo one)"),
    ],
)
def test_references_to_variables(text: str, expanded: str) -> None:
    assert expand(text, {"A": "one", "B": "two", "C": "$(A)"}) == expanded


def test_a_task_s_own_variables_are_put_in() -> None:
    task = Task.model_validate(
        {
            "name": "a",
            "command": ["$(ROOT)/run"],
            "args": ["$(DATA)", "$(HOME)"],
            "environment": {"EARLY": "$(ROOT)", "ROOT": "/r", "DATA": "$(ROOT)/data"},
        }
    )
    found = expanded(task)
    assert (found.command, found.args) == (("/r/run",), ("/r/data", "$(HOME)"))
    assert found.environment == {"EARLY": "$(ROOT)", "ROOT": "/r", "DATA": "/r/data"}
