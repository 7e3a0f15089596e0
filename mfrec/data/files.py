"""Tables from files: CSV and TSV, plain or compressed, and Parquet."""

from collections.abc import Sequence
from lzma import LZMAError
from pathlib import Path
from tarfile import TarError
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812

import pandas as pd

from mfrec.data.columns import require_columns
from mfrec.errors import DataError

_PARQUET = (".parquet", ".pq")
_TABS = (".tsv", ".tab")


def read_table(path: Path, wanted: list[str], ids: list[str], texts: Sequence[str] = ()) -> pd.DataFrame:
    """Read the wanted columns of a file; id columns become integers only where nothing is lost by it.

    Columns of text stay as they are written, so that a title such as "1984" is no number.

    Raises
    ------
    DataError
        When the file is missing, empty, not such a table, or lacks a column.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a CSV or Parquet file, or a MovieLens release")
    if not path.exists():
        raise DataError(f"no such file: {path}")
    parquet = path.suffix.lower() in _PARQUET
    frame = _read_parquet(path) if parquet else _read_csv(path, [*ids, *texts])
    require_columns(frame.columns, wanted, str(path))
    if not parquet:
        for name in ids:
            frame[name] = _integers_if_lossless(frame[name])
    return frame[list(dict.fromkeys(wanted))]


def _read_csv(path: Path, verbatim: list[str]) -> pd.DataFrame:
    separator = "\t" if any(s.lower() in _TABS for s in path.suffixes) else ","
    try:
        # "NA" and "null" are fine ids and titles; only an empty field is missing
        return pd.read_csv(
            path, sep=separator, dtype=dict.fromkeys(verbatim, "str"), keep_default_na=False, na_values=[""]
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} is empty") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{path} is not a readable CSV file: {str(error).strip()}") from None
    except (UnicodeDecodeError, BadZipFile, TarError, EOFError, ZlibError, LZMAError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as CSV: {_first_line(error)}") from None


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError:
        raise DataError(f"reading {path} needs pyarrow: pip install 'mfrec[parquet]'") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {_first_line(error)}") from None


def _integers_if_lossless(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Turn "12" into 12 where every value survives the round trip; "007" or "a" keep the column as text."""
    distinct = column.dropna().unique()
    if not len(distinct) or not all(_is_plain_integer(text) for text in distinct):
        return column
    return column.astype("Int64" if column.hasnans else "int64")


def _is_plain_integer(text: str) -> bool:
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        return False
    return str(int(text)) == text and abs(int(text)) < 2**63


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
