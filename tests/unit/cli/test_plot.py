"""Charts made of characters."""

from haltline.cli.plot import plot, sparkline, thin


def test_a_chart_has_the_size_asked_for_and_its_scale():
    lines = plot([1000.0, 900.0, 950.0], width=40, height=5)
    assert len(lines) == 5
    assert all(len(line) <= 40 for line in lines)
    assert lines[0].startswith("1,000")
    assert lines[-1].lstrip().startswith("900")


def test_marks_stand_below_the_chart():
    lines = plot([1.0, 2.0], width=30, height=3, marks=[(0.0, "▲"), (1.0, "▲")])
    assert lines[-1].strip().startswith("▲")
    assert lines[-1].endswith("▲")


def test_a_flat_line_is_drawn():
    assert len(plot([5.0, 5.0], width=20, height=3)) == 3


def test_nothing_gives_nothing():
    assert plot([], width=20, height=3) == []
    assert sparkline([], 10) == ""


def test_a_plain_chart_is_ascii():
    assert "".join(plot([1.0, 2.0, 1.5], width=30, height=4, unicode=False)).isascii()


def test_a_sparkline_shows_low_and_high():
    assert sparkline([1.0, 2.0], 10) == "▁█"
    assert sparkline([1.0, 2.0], 10, unicode=False) == ""


def test_thinning_keeps_first_and_last():
    assert thin(list(range(100)), 5) == [0, 25, 50, 74, 99]
    assert thin([1.0, 2.0], 5) == [1.0, 2.0]
