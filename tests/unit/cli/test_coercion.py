"""Words become values as the annotations say."""

from enum import StrEnum
from pathlib import Path

import pytest

from haltline.cli.coercion import coercion_for


class Fruit(StrEnum):
    APPLE = "apple"
    PEAR = "pear"


def value_of(annotation, value):
    return coercion_for(annotation).coerce(value, param=None, ctx=None)


@pytest.mark.parametrize(
    ("annotation", "typed", "value"),
    [
        (str, "x", "x"),
        (int, "3", 3),
        (float, "2.5", 2.5),
        (bool, True, True),
        (Path, "a/b", Path("a/b")),
        (Fruit, "pear", Fruit.PEAR),
        (Path | None, "a", Path("a")),
        (list[Path], ("a", "b"), [Path("a"), Path("b")]),
    ],
)
def test_simple_annotations_are_coerced(annotation, typed, value):
    assert value_of(annotation, typed) == value


@pytest.mark.parametrize("annotation", [str, Path | None, Fruit])
def test_nothing_typed_stays_nothing(annotation):
    assert value_of(annotation, None) is None


def test_no_words_for_a_list_are_an_empty_one():
    assert value_of(list[str], None) == ()


@pytest.mark.parametrize(("annotation", "words"), [(int, "whole number"), (float, "number"), (Fruit, "apple, pear")])
def test_a_word_that_does_not_fit_is_refused_in_words(annotation, words):
    with pytest.raises(Exception, match=words):
        value_of(annotation, "plum")


def test_other_annotations_are_left_to_typer():
    assert coercion_for(dict) is None
    assert coercion_for(int | str) is None
