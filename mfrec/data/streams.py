"""Bytes as they come (compressed, in any encoding, with any line ends), turned into blocks of whole lines of UTF-8."""

import bz2
import codecs
import gzip
import io
import lzma
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from zlib import error as ZlibError  # noqa: N812

from mfrec.data.refusals import RefusedError
from mfrec.errors import DataError, ParameterError

# bytes that are read, checked and parsed at once
BLOCK = 1 << 25
_LONGEST_LINE = 1 << 28
STDIN = "-"
# what goes wrong while something is decompressed or read
BROKEN = (EOFError, ZlibError, lzma.LZMAError, zipfile.BadZipFile, OSError)

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``, decompressed where its first bytes say that it is compressed.

    Raises
    ------
    DataError
        When there is no such file, or it cannot be read.
    """
    if str(path) == STDIN:
        yield _decompressed(io.BufferedReader(sys.stdin.buffer), "standard input")
        return
    if Path(path).is_dir():
        raise DataError(f"{path} is a folder: name a CSV or Parquet file, or a MovieLens release")
    if not Path(path).exists():
        raise DataError(f"no such file: {path}")
    with Path(path).open("rb") as file:
        yield _decompressed(file, str(path))


def beginning(stream: Any, name: str) -> bytes:
    """Return the first bytes of a stream, which stay to be read."""
    try:
        start: bytes = stream.peek(1 << 16)
    except BROKEN as error:
        raise _broken(name, error) from None
    return start


def _broken(name: str, error: Exception) -> DataError:
    return DataError(f"{name} cannot be read: {str(error) or 'it ends too early'}")


def check_path(path: Any) -> None:
    """Raise ParameterError for anything else than the path of one file or folder."""
    if not isinstance(path, str | os.PathLike):
        raise ParameterError(f"expected the path of one file or folder, got {type(path).__name__}: name one path")


def name_of(path: str | Path) -> str:
    """Return what messages call a file."""
    return "standard input" if str(path) == STDIN else str(path)


def _zstd(file: BinaryIO) -> Any:
    try:
        import zstandard
    except ImportError:
        raise DataError("reading .zst needs zstandard: pip install zstandard, or decompress the file first") from None
    return io.BufferedReader(_Zstd(zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)))


class _Zstd(io.RawIOBase):
    """A reader of zstandard that ends in EOFError where the file was cut short, and reports its errors as OSError."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        import zstandard

        try:
            data = self._reader.read(len(buffer))
        except zstandard.ZstdError as error:
            raise OSError(str(error)) from None
        buffer[: len(data)] = data
        return len(data)


def _member(file: BinaryIO) -> Any:
    archive = zipfile.ZipFile(file)
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if len(names) != 1:
        raise DataError(f"a zip of {len(names)} files: unpack it, and name the file with the table")
    return archive.open(names[0])


# first bytes, and what decompresses what follows
_COMPRESSED: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"PK\x03\x04", _member),
)


def _decompressed(file: Any, name: str) -> Any:
    start = file.peek(8)[:8]
    for magic, decompress in _COMPRESSED:
        if start.startswith(magic):
            try:
                return io.BufferedReader(decompress(file))
            except (*BROKEN, NotImplementedError, RuntimeError) as error:
                raise _broken(name, error) from None
    return file


def blocks(stream: BinaryIO, name: str, encoding: str = "utf-8") -> Iterator[bytes]:
    r"""Yield whole lines of UTF-8 that end in ``\n``, whatever the encoding and the line ends of the stream.

    A byte order mark is taken off. The last line may lack its end; it is yielded as it is.

    Raises
    ------
    DataError
        Naming the line of the first byte that is no text in that encoding, or that is 0.
    """
    lines, rest, last = 0, b"", False
    recode = None if _is_utf8(encoding) else codecs.getincrementaldecoder(encoding)()
    first = True
    while not last:
        try:
            raw = stream.read(BLOCK)
        except BROKEN as error:
            raise _broken(name, error) from None
        last = not raw
        if recode is not None:
            try:
                raw = recode.decode(raw, last).encode("utf-8", "surrogatepass")
            except UnicodeError as error:
                raise _not_in(encoding, name, lines + 1 + rest.count(b"\n"), error) from None
        if first and raw:
            raw, first = raw.removeprefix(codecs.BOM_UTF8), False
        text = rest + raw
        # a \r that ends what was read may be the first half of a line end
        held = b"\r" if not last and text.endswith(b"\r") else b""
        text = text[: len(text) - len(held)]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        cut = len(text) if last else text.rfind(b"\n") + 1
        whole, rest = text[:cut], text[cut:] + held
        if whole:
            _check(whole, name, lines)
            yield whole
        lines += whole.count(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise DataError(f"{name}, line {lines + 1} is longer than {_LONGEST_LINE:,} bytes: this is no table")


def marked(start: bytes) -> str | None:
    """Return the encoding that a byte order mark names, if there is one of UTF-16 or UTF-32."""
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def check_encoding(encoding: str) -> None:
    """Raise ParameterError unless Python knows this encoding of text."""
    try:
        known = codecs.lookup(encoding)
    except LookupError:
        raise ParameterError(f"unknown encoding {encoding!r}: utf-8, latin-1, cp1252, utf-16 are some") from None
    if not known._is_text_encoding:
        raise ParameterError(f"{encoding!r} is no encoding of text: utf-8, latin-1, cp1252, utf-16 are some")


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")


def _check(whole: bytes, name: str, lines: int) -> None:
    if b"\0" in whole:
        line = lines + 1 + whole.count(b"\n", 0, whole.index(b"\0"))
        wide = "utf-16-be" if whole[:1] == b"\0" else "utf-16-le"
        if whole.count(b"\0") < len(whole) // 4:
            # text in UTF-16 is zeros by a third or more, but for scripts whose bytes are no such text either
            raise RefusedError(f"{name} cannot be read as CSV or other text: line {line} has a byte 0; is it a table?")
        raise RefusedError(
            f"{name} cannot be read as CSV or other text: line {line} has a byte 0; if this is UTF-16, "
            f"say --encoding {wide}",
            encoding=wide,
        )
    if whole.isascii():
        return
    try:
        whole.decode()
    except UnicodeDecodeError as error:
        raise _not_in("utf-8", name, lines + 1 + whole.count(b"\n", 0, error.start), error) from None


def _not_in(encoding: str, name: str, line: int, error: UnicodeError) -> RefusedError:
    byte = f" (byte 0x{error.object[error.start]:02x})" if isinstance(error, UnicodeDecodeError) else ""
    other = "latin-1" if _is_utf8(encoding) else "utf-8"
    return RefusedError(
        f"{name} cannot be read as CSV or other text: line {line} is no text in {encoding}{byte}: say which "
        f"encoding it is in, for instance --encoding {other}",
        encoding=other,
    )
