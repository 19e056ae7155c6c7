"""A reader that reads no more delays nothing, and is told what it missed once it reads again."""

import threading
from collections.abc import Callable

from haltline.cli.printer import Printer

PATIENCE_S = 30.0


class Reader:
    """Takes lines while it is let."""

    def __init__(self) -> None:
        self.reads = threading.Event()
        self.began = threading.Event()
        self.lines: list[str] = []

    def line(self, text: str) -> Callable[[], None]:
        def write() -> None:
            self.began.set()
            assert self.reads.wait(PATIENCE_S)
            self.lines.append(text)

        return write


def test_what_is_put_is_written_in_its_order() -> None:
    reader = Reader()
    reader.reads.set()
    printer = Printer()
    for number in range(100):
        printer.put(reader.line(str(number)))
    assert printer.close(PATIENCE_S)
    assert reader.lines == [str(number) for number in range(100)]


def test_a_reader_that_reads_no_more_holds_up_nobody_and_hears_what_it_missed() -> None:
    reader = Reader()
    printer = Printer(left_out=lambda count: reader.lines.append(f"{count} left out"), most=3)
    printer.put(reader.line("0"))
    assert reader.began.wait(PATIENCE_S)
    for number in range(1, 10):
        printer.put(reader.line(str(number)))
    assert not printer.is_idle
    assert printer.close(0.01) is False
    reader.reads.set()
    assert printer.close(PATIENCE_S)
    assert reader.lines == ["0", "1", "2", "3", "6 left out"]


def test_a_reader_that_is_gone_ends_the_writing_and_nothing_else() -> None:
    printer = Printer()

    def gone() -> None:
        raise BrokenPipeError

    printer.put(gone)
    printer.put(lambda: None)
    assert printer.close(PATIENCE_S) is False
    assert printer.is_broken
    printer.put(lambda: None)


def test_a_stream_that_was_closed_is_gone_too() -> None:
    printer = Printer()

    def closed() -> None:
        raise ValueError("I/O operation on closed file")

    printer.put(closed)
    assert printer.close(PATIENCE_S) is False


def test_it_is_idle_once_all_is_written() -> None:
    printer = Printer()
    assert printer.is_idle
    reader = Reader()
    printer.put(reader.line("a"))
    assert reader.began.wait(PATIENCE_S)
    assert not printer.is_idle
    reader.reads.set()
    assert printer.close(PATIENCE_S)
    assert printer.is_idle
