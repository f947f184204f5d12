"""What the pages of a Parquet file say that they unpack to, read before they are: the footer may say less, and memory goes by pages.

    from pyarrow.parquet import ParquetFile

    with ParquetFile("verdicts.parquet") as read, open("verdicts.parquet", "rb") as file:
        check_pages(read, file, "verdicts.parquet")     # dictionaries by column

A page is a header in Thrift's compact protocol and its packed bytes; see https://parquet.apache.org/docs/file-format/data-pages/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from clave.errors import InputError
from clave.io.opening import MAX_ROW, MOST_COLUMNS

_RATIO = 1000
"""Bytes, or cells, that a byte of a column may stand for; text is packed to a tenth, seldom to a hundredth."""
_FREE = MAX_ROW
"""Bytes, or cells, of a column that are read whatever they were packed to."""
_AT_ONCE, _RATIO_AT_ONCE = 8 * MAX_ROW, 20
"""Bytes that are in memory together, one page of each column: so many, or so many times what they were packed to."""
_MOST_PAGES = 1_000_000
_MOST_HEADER = 2**24
_DICTIONARY = 2
"""The type of a page that holds a dictionary."""
_BY_PLACE = (2, 8)
"""Encodings of cells as places in the dictionary."""


class Dictionary(NamedTuple):
    """Of a column, whose cells are places in it."""

    size: int
    """Bytes; of several row groups the largest."""
    whole: bool
    """No cell of the column is written out, as they are where a dictionary grew too large for its writer."""


class _Page(NamedTuple):
    packed: int
    unpacked: int
    cells: int
    kind: int
    encoding: int


def check_pages(read: Any, file: IO[bytes], name: str) -> dict[str, Dictionary]:
    """Look at all headers of pages, and find the dictionaries.

    Args:
        read: The `pyarrow.parquet.ParquetFile`.
        file: The same file as bytes.
        name: Of the file, for the sentence.

    Returns:
        Path of a column -> its dictionary.

    Raises:
        InputError: A column, or what is read together, unpacks to far more than its bytes can hold.
        ValueError: A header cannot be read.
    """
    metadata = read.metadata
    if metadata.num_columns > MOST_COLUMNS:
        raise InputError(f"{name}: it has {metadata.num_columns:,} columns, and at most {MOST_COLUMNS:,} are read")
    repeated = [read.schema.column(place).max_repetition_level > 0 for place in range(metadata.num_columns)]
    size, packed, seen = file.seek(0, 2), 0, 0
    dictionaries = dict[str, Dictionary]()
    for group in range(metadata.num_row_groups):
        at_once, begun = 0, packed
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            packed += column.total_compressed_size
            unpacked = largest = dictionary = 0
            whole = True
            for page in _pages(file, column):
                if page.kind == _DICTIONARY:
                    dictionary = max(dictionary, page.unpacked)
                else:
                    whole = whole and page.encoding in _BY_PLACE
                seen += 1
                unpacked += max(page.unpacked, page.cells)
                largest = max(largest, page.unpacked)
                at_once += 8 * page.cells if repeated[place] else 0  # all of them may be one row
            if unpacked > max(_FREE, _RATIO * column.total_compressed_size):
                raise InputError(
                    f"{name}: column {column.path_in_schema!r} unpacks from {column.total_compressed_size:,} bytes to {unpacked:,}: "
                    "write the file anew, with less in it"
                )
            at_once += largest
            if dictionary:
                other = dictionaries.get(column.path_in_schema, Dictionary(0, whole=True))
                dictionaries[column.path_in_schema] = Dictionary(max(dictionary, other.size), whole and other.whole)
        if at_once > max(_AT_ONCE, _RATIO_AT_ONCE * (packed - begun)):
            raise InputError(
                f"{name}: {packed - begun:,} bytes of it unpack to {at_once:,} at once: write the file anew, in smaller row groups"
            )
        if packed > size or seen > _MOST_PAGES:
            raise InputError(f"{name}: its columns lie over each other, or are more than {_MOST_PAGES:,} pages: write the file anew")
    return dictionaries


def _pages(file: IO[bytes], column: Any) -> Iterator[_Page]:
    """The pages from where the column begins to where it ends; none where it has no cells, and begins nowhere."""
    place = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < place:
        place = column.dictionary_page_offset
    end = place + (column.total_compressed_size if column.num_values else 0)
    while place < end:
        length, page = _header(file, place)
        place += length + page.packed
        yield page


def _header(file: IO[bytes], place: int) -> tuple[int, _Page]:
    """The header at a place, and its length."""
    most = 2**12
    while True:
        file.seek(place)
        data = file.read(most)
        compact = _Compact(data)
        try:
            fields = compact.structure()
        except IndexError:
            if len(data) < most or most == _MOST_HEADER:
                raise ValueError(f"no page begins at byte {place:,}") from None
            most = _MOST_HEADER
            continue
        data_page, dictionary, data_page_2 = (found if isinstance(found := fields.get(number), dict) else {} for number in (5, 7, 8))
        cells = max(page.get(1, 0) for page in (data_page, dictionary, data_page_2))
        unpacked, packed = fields.get(2), fields.get(3)
        if not isinstance(unpacked, int) or not isinstance(packed, int) or min(unpacked, packed, cells) < 0:
            raise ValueError(f"the page at byte {place:,} has no size")
        encoding = data_page_2.get(4, 0) if data_page_2 else data_page.get(2, 0)
        return compact.place, _Page(packed, unpacked, cells, fields.get(1, 0), encoding)


class _Compact:
    """Thrift's compact protocol, as far as headers of pages hold what we look for. Beyond its end an IndexError is raised."""

    def __init__(self, data: bytes) -> None:
        self._data, self.place = data, 0

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """Field -> number, of whole numbers of 32 bits, or structure; what is of another kind is passed over, as by who reads the page."""
        fields, number = dict[int, Any](), 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._number()
            found = self._value(head & 15, depth)
            if found is not None:
                fields[number] = found
        return fields

    def _value(self, kind: int, depth: int) -> int | dict[int, Any] | None:
        if kind == 5:
            return self._number()
        if kind == 12 and depth < 4:
            return self.structure(depth + 1)
        if kind == 3:
            self.place += 1
        elif kind in (4, 6):
            self._varint()
        elif kind == 7:
            self.place += 8
        elif kind == 8:
            length = self._varint()
            self.place += length
        elif kind not in (1, 2):  # which are true and false, and nothing follows
            raise ValueError("the header of a page holds what none does")
        return None

    def _byte(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def _varint(self) -> int:
        number, shift = 0, 0
        while (byte := self._byte()) & 0x80:
            number, shift = number | (byte & 0x7F) << shift, shift + 7
            if shift > 63:
                raise ValueError("the header of a page holds a number that is none")
        return number | byte << shift

    def _number(self) -> int:
        """A whole number with its sign in the last bit."""
        number = self._varint()
        return (number >> 1) ^ -(number & 1)
