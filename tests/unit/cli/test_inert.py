"""What others wrote does nothing to the terminal."""

import io

from haltline.cli.output import Output
from haltline.cli.problem import styled
from haltline.errors import Place, Problem


def test_control_characters_in_a_line_are_shown_and_not_obeyed() -> None:
    stream = io.StringIO()
    Output(stream=stream).say("a\x1b[2J[red]b\x07\nc")
    assert stream.getvalue() == "a\ufffd[2J[red]b\ufffd\nc\n"


def test_control_characters_in_the_name_of_a_file_are_not_obeyed() -> None:
    problem = Problem(code="E101", place=Place(file="\x1b[31mx.yaml"), what="w\x07", cure="c")
    assert styled(problem).plain.isprintable()
