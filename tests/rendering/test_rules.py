"""The table of rules on the page about trust is the list of rules."""

from cs231n.calculus.rules import RULES
from cs231n.rendering.rules import RULES_MARKER, Rules, rules_table


def test_every_rule_is_listed_with_what_it_says() -> None:
    rows = list(rules_table())[2:]
    assert len(rows) == len(RULES)
    for row, (name, function) in zip(rows, RULES.items(), strict=True):
        assert f"`{name}`" in row
        assert function.__doc__ and len(row) > len(name) + 20


def test_the_marker_is_replaced() -> None:
    lines = Rules(None).run(["before", RULES_MARKER, "after"])
    assert lines[0] == "before" and lines[-1] == "after"
    assert RULES_MARKER not in lines
