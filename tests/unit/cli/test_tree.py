"""Why, as a tree."""

import io

from haltline.api.field import Kind
from haltline.cli.output import Output
from haltline.cli.tree import reasoning_tree
from haltline.expr.explain import Explanation
from haltline.kernel.view import Reasoning
from haltline.model.verdict import Phase, Verdict


def drawn(condition: Explanation, verdict: Verdict = Verdict.OK, where: Explanation | None = None) -> str:
    stream = io.StringIO()
    why = Reasoning(
        rule="loss", entity="eval", title="Stop", verdict=verdict, phase=Phase.OK, reason="", measured=None,
        threshold=None, where=where, condition=condition, value=None,
    )  # fmt: skip
    Output(stream=stream).show(reasoning_tree(why))
    return stream.getvalue()


def part(text, value, kind=Kind.MONEY, **more):
    return Explanation(text=text, kind=kind, value=value, **more)


def test_every_value_stands_beside_its_expression():
    loss = part("account.day.loss", 587.5, unit="USD", age_s=2.0)
    out = drawn(part("account.day.loss >= 1000", False, Kind.BOOL, children=(loss, part("1000", 1000.0))))
    assert "OK  loss on eval: Stop" in out
    assert "account.day.loss >= 1000 = no" in out
    assert "account.day.loss = 587.50 USD, 2 s old" in out


def test_constants_are_not_repeated():
    out = drawn(part("x >= 1000", False, Kind.BOOL, children=(part("1000", 1000.0),)))
    assert "1000 = 1,000" not in out


def test_unknown_says_why():
    out = drawn(part("x", None, unknown="MNQ: no quote yet"), Verdict.UNKNOWN)
    assert "= unknown MNQ: no quote yet" in out


def test_a_filter_is_shown_as_such():
    assert "applies where" in drawn(part("x", True, Kind.BOOL), where=part('symbol == "MNQ"', True, Kind.BOOL))
