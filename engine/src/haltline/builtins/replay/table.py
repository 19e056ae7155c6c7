"""Files as streams of record batches, whatever their format; never a whole file at once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from haltline.builtins.replay.problem import bad_row, unreadable

_CSV = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst", ".txt", ".tsv")
_TEXT = (".csv", ".txt", ".tsv")
_PARQUET = (".parquet", ".pq")
_FEATHER = (".feather", ".arrow", ".ipc")
_BATCH_ROWS = 32_768
_BLOCK_BYTES = 1 << 20


class Table:
    """One file: its column names, its number of rows, and its rows in batches.

    Every method raises ConfigError for a file that is missing, of another format, or cut short. CSV cells come as text,
    so that what cannot be read as a number can be shown with its row.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        name = path.name.lower()
        self.is_csv = name.endswith(_CSV)
        self.first_row = 2 if self.is_csv else 1
        self.torn_rows = 0
        self._torn: Any = None
        if not (self.is_csv or name.endswith(_PARQUET + _FEATHER)):
            raise unreadable(path, "its name must end in .csv, .csv.gz, .parquet or .feather")
        if not path.is_file():
            raise unreadable(path, "it is a folder" if path.is_dir() else "there is no such file")
        if name.endswith(_TEXT) and self._guarded(self._is_binary):
            raise unreadable(path, "it is not a text file")
        self.names = self._guarded(self._read_names)

    def batches(self, names: list[str], *, skip_torn: bool) -> Iterator[Any]:
        """Record batches with these columns; rows with a wrong number of cells are an error, or skipped and counted."""
        import pyarrow as pa  # noqa: PLC0415 - heavy, and only recordings need it

        self.torn_rows = 0
        self._torn = None
        try:
            yield from self._open_batches(names, skip_torn=skip_torn)
        except (pa.ArrowException, OSError, EOFError) as error:
            torn = self._torn
            if torn is not None:
                why = f"the row has {torn.actual_columns} cells instead of {torn.expected_columns}"
                raise bad_row(self.path, torn.number or self.first_row, why) from error
            raise unreadable(self.path, _first_line(error)) from error

    def count(self) -> int:
        """How many rows there are (for CSV: how many lines below the first)."""
        return self._guarded(self._count)

    def _guarded[T](self, read: Callable[[], T]) -> T:
        import pyarrow as pa  # noqa: PLC0415

        try:
            return read()
        except (pa.ArrowException, OSError, EOFError) as error:
            raise unreadable(self.path, _first_line(error)) from error

    def _is_binary(self) -> bool:
        with self.path.open("rb") as file:
            return b"\0" in file.read(_BLOCK_BYTES)

    def _read_names(self) -> list[str]:
        import pyarrow as pa  # noqa: PLC0415

        if self.is_csv:
            import pyarrow.csv as pa_csv  # noqa: PLC0415

            options = pa_csv.ReadOptions(block_size=_BLOCK_BYTES)
            parsing = pa_csv.ParseOptions(invalid_row_handler=lambda row: "skip")
            with pa_csv.open_csv(self.path, read_options=options, parse_options=parsing) as reader:
                return list(reader.schema.names)
        if self.path.name.lower().endswith(_PARQUET):
            import pyarrow.parquet as pq  # noqa: PLC0415

            return list(pq.read_schema(self.path).names)
        with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as reader:
            return list(reader.schema.names)

    def _open_batches(self, names: list[str], *, skip_torn: bool) -> Iterator[Any]:
        import pyarrow as pa  # noqa: PLC0415

        if self.is_csv:
            yield from self._csv_batches(names, skip_torn=skip_torn)
        elif self.path.name.lower().endswith(_PARQUET):
            import pyarrow.parquet as pq  # noqa: PLC0415

            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(batch_size=_BATCH_ROWS, columns=names)
        else:
            with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as reader:
                for index in range(reader.num_record_batches):
                    batch = reader.get_batch(index).select(names)
                    for start in range(0, batch.num_rows, _BATCH_ROWS):
                        yield batch.slice(start, _BATCH_ROWS)

    def _csv_batches(self, names: list[str], *, skip_torn: bool) -> Iterator[Any]:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.csv as pa_csv  # noqa: PLC0415

        def on_torn(row: pa_csv.InvalidRow) -> Literal["skip", "error"]:
            if not skip_torn:
                self._torn = row
                return "error"
            self.torn_rows += 1
            return "skip"

        reader = pa_csv.open_csv(
            self.path,
            read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=pa_csv.ParseOptions(invalid_row_handler=on_torn),
            convert_options=pa_csv.ConvertOptions(
                include_columns=names, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
            ),
        )
        with reader:
            yield from reader

    def _count(self) -> int:
        import pyarrow as pa  # noqa: PLC0415

        if self.is_csv:
            with pa.input_stream(str(self.path)) as stream:
                return max(0, sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(_BLOCK_BYTES), b"")) - 1)
        if self.path.name.lower().endswith(_PARQUET):
            import pyarrow.parquet as pq  # noqa: PLC0415

            return int(pq.read_metadata(self.path).num_rows)
        with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as reader:
            return sum(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
