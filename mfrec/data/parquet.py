"""Parquet files and folders of parts, as Spark and others write them."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from mfrec.data.frames import of_arrow
from mfrec.data.refusals import Doubt, RefusedError, require_columns, require_once
from mfrec.data.table import Table
from mfrec.errors import DataError

MAGIC = b"PAR1"
SUFFIXES = (".parquet", ".pq")
# what stands for a missing value in the name of a folder
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def read_parquet(source: Path | BinaryIO, name: str, names: list[str] | None) -> Table:
    """Read columns of a file, a folder of parts, or a stream; all of them where ``names`` is None.

    All are those that every part has, with a note on the others, for nobody can name them without a refusal. Of a
    folder, files and folders that begin with ``_`` or ``.`` are skipped, and a folder ``day=2024-01-02`` gives
    its files a column.

    Raises
    ------
    DataError
        When pyarrow is missing, there is no part, a part cannot be read or lacks a column, or types do not agree.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise DataError(f"reading {name} needs pyarrow: pip install 'mfrec[parquet]'") from None
    files: list[tuple[Any, str, dict[str, str | None]]]
    if isinstance(source, Path):
        files = [(path, str(path), _partitions(path, source)) for path in _parts(source)]
    else:
        # the end of a Parquet file says where things are, so a stream is read whole
        files = [(io.BytesIO(source.read()), name, {})]
    parts = [_read(*file, names) for file in files]
    notes: tuple[str, ...] = ()
    if names is None:
        parts, notes = _shared(parts, [label for _, label, _ in files], name)
    try:
        whole = pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"{name}: its parts do not agree: {_first_line(error)}") from None
    columns = {column: of_arrow(whole.column(column)) for column in whole.column_names}
    return Table(columns, name, notes=notes)


def _shared(parts: list[Any], labels: list[str], name: str) -> tuple[list[Any], tuple[str, ...]]:
    """Return the parts with the columns that all of them have, and notes on the others."""
    every = dict.fromkeys(column for part in parts for column in part.column_names)
    notes = []
    for column in list(every):
        lacking = [label for part, label in zip(parts, labels, strict=True) if column not in part.column_names]
        if lacking:
            del every[column]
            notes.append(Doubt(f"{lacking[0]} has no column {column!r}, which other parts have: it cannot be read"))
    if not every:
        raise RefusedError(f"{name}: no column is in all of its parts: {notes[0]}")
    return [part.select(list(every)) for part in parts], tuple(notes)


def is_parts(path: Path) -> bool:
    """Whether a path is a folder with Parquet files below it."""
    return path.is_dir() and any(_is_parquet(file) for file in _visible(path))


def _parts(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = list(_visible(path))
    parts = [file for file in files if _is_parquet(file)]
    others = [file for file in files if file not in set(parts)]
    if not parts:
        raise DataError(f"{path} is a folder without Parquet files: name a CSV or Parquet file, or a MovieLens release")
    if others:
        raise DataError(f"{path} holds {others[0].name} beside Parquet files: remove it, or begin its name with _")
    return parts


def _visible(path: Path) -> Iterator[Path]:
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(("_", ".")) for part in file.relative_to(path).parts)
        if file.is_file() and not hidden:
            yield file


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC or file.suffix.lower() in SUFFIXES


def _partitions(file: Path, folder: Path) -> dict[str, str | None]:
    """Return what the names of the folders between say, as ``column=value``."""
    if not folder.is_dir():
        return {}
    pairs = [part.split("=", 1) for part in file.relative_to(folder).parts[:-1] if "=" in part]
    return {key: None if value == _NO_PARTITION else value for key, value in pairs}


def _read(source: Any, name: str, partitions: dict[str, str | None], names: list[str] | None) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(source)
        have = file.schema_arrow.names
        require_columns([*have, *partitions], names or (), name)
        require_once(have, have if names is None else names, name)
        inner = [column for column in (have if names is None else names) if column in have]
        texts = [column for column in inner if _is_text(file.schema_arrow.field(column).type)]
        # each distinct text once: less to read, and less to hold
        table = parquet.ParquetFile(source, read_dictionary=texts).read(columns=inner)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise RefusedError(f"{name} cannot be read as Parquet: {_first_line(error)}") from None
    for column, value in partitions.items():
        if column not in have and (names is None or column in names):
            table = table.append_column(column, pa.array([value] * len(table), pa.string()))
    return table


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def to_frame(table: Table) -> pd.DataFrame:
    """Return the columns with pandas' own types, where one of them holds the same values."""
    return pd.DataFrame({name: _native(column) for name, column in table.columns.items()})


def _native(column: "pd.Series[Any]") -> "pd.Series[Any]":
    if isinstance(column.dtype, pd.CategoricalDtype):
        if pd.api.types.is_integer_dtype(column.cat.categories.dtype):
            return column.astype("Int64" if column.hasnans else "int64")
        return column.astype(object)
    if not isinstance(column.dtype, pd.ArrowDtype):
        return column
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.astype("Int64" if column.hasnans else "int64")
    if pd.api.types.is_float_dtype(column.dtype):
        return pd.Series(column.to_numpy("float64", na_value=float("nan")))
    return column.astype(object).where(column.notna(), None)
