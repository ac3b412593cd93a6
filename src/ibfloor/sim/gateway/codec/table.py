"""Message tables: one per message, from which encoder and decoder are compiled per version.

A table is a sequence of ``Field``, ``Block`` (present when a test of the earlier fields holds) and
``Rows`` (a count, then that many rows). What a version does not have is left out at compile time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ibfloor.sim.gateway.codec.kinds import COUNT, INT, FieldError, Kind, Scalar, Values
from ibfloor.sim.gateway.codec.shared import OWN, SharedFrames
from ibfloor.sim.gateway.wire import frame

NEWEST = 10_000

_Encode = Callable[[Values, list[str]], None]
_Decode = Callable[["_Cursor", dict[str, Scalar | Sequence[Values]]], None]


class Field(NamedTuple):
    """One field; ``constant`` fields (message versions) are written as they are and skipped."""

    name: str
    kind: Kind
    since: int = 0
    until: int = NEWEST
    """The last version that has it."""
    default: Scalar = None
    constant: bool = False
    may_miss: bool = False
    """Some clients end the message before it: then it has its default."""


class Block(NamedTuple):
    """Fields that are there only when a test of the message's values holds."""

    when: Callable[[Values], bool]
    items: tuple[Item, ...]
    since: int = 0
    until: int = NEWEST


class Rows(NamedTuple):
    """A count and that many rows; in values a sequence under ``name``."""

    name: str
    items: tuple[Item, ...]
    since: int = 0
    until: int = NEWEST
    rows_max: int = 100_000


Item = Field | Block | Rows


class DecodeError(Exception):
    """A message does not fit its table; the text names the field."""

    def __init__(self, text: str, values: Mapping[str, Scalar | Sequence[Values]]) -> None:
        super().__init__(text)
        self.values = values
        """What was read before the fault: its request id may be in it."""


class Layout:
    """A table compiled for one server version."""

    def __init__(self, table: Table, version: int) -> None:
        self._message_id = str(table.message_id)
        self._encode, self._decode = _compile(table.items, version)
        self._shared = _shared_frames(table, version, self._fields) if table.is_shared else None

    def encode(self, values: Values) -> bytes:
        """Return the frame of a message; fields not given take their defaults."""
        return frame(self._fields(values)) if self._shared is None else self._shared.frame(values)

    def _fields(self, values: Values) -> list[str]:
        out = [self._message_id]
        self._encode(values, out)
        return out

    def decode(self, fields: Sequence[str]) -> tuple[dict[str, Scalar | Sequence[Values]], list[str]]:
        """Return a message's values and what is left over; ``fields[0]``, the id, is skipped.

        Raises ``DecodeError``.
        """
        cursor = _Cursor(fields)
        values: dict[str, Scalar | Sequence[Values]] = {}
        try:
            self._decode(cursor, values)
        except FieldError as error:
            raise DecodeError(str(error), values) from None
        return values, cursor.rest()


class Table:
    """A message: its name, its id and its items in order.

    One that ``is_shared`` has plain fields alone, and goes to many clients with only another request id.
    """

    def __init__(self, name: str, message_id: int, *items: Item, is_shared: bool = False) -> None:
        self.name = name
        self.message_id = message_id
        self.items = items
        self.is_shared = is_shared
        self._layouts: dict[int, Layout] = {}

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {self.message_id})"

    def layout(self, version: int) -> Layout:
        """Return the table compiled for a version; compiled once."""
        layout = self._layouts.get(version)
        if layout is None:
            layout = self._layouts[version] = Layout(self, version)
        return layout


def constant(text: int) -> Field:
    """Return a field that always carries this number, such as a message's version."""
    return Field("", INT, default=text, constant=True)


class _Cursor:
    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._index = 1

    @property
    def is_over(self) -> bool:
        return self._index >= len(self._fields)

    def take(self, name: str) -> str:
        if self._index >= len(self._fields):
            raise FieldError(f"the message ends before {name!r}")
        self._index += 1
        return self._fields[self._index - 1]

    def rest(self) -> list[str]:
        return list(self._fields[self._index :])


def _compile(items: Sequence[Item], version: int) -> tuple[_Encode, _Decode]:
    parts = [_compile_item(item, version) for item in items if item.since <= version <= item.until]
    encoders = [part[0] for part in parts]
    decoders = [part[1] for part in parts]

    def encode(values: Values, out: list[str]) -> None:
        for write in encoders:
            write(values, out)

    def decode(cursor: _Cursor, values: dict[str, Scalar | Sequence[Values]]) -> None:
        for read in decoders:
            read(cursor, values)

    return encode, decode


def _compile_item(item: Item, version: int) -> tuple[_Encode, _Decode]:
    if isinstance(item, Field):
        return _compile_field(item)
    if isinstance(item, Rows):
        return _compile_rows(item, version)
    return _compile_block(item, version)


def _compile_field(field: Field) -> tuple[_Encode, _Decode]:
    name, to_text, from_text = field.name, field.kind.encode, field.kind.decode
    default = field.kind.default if field.default is None else field.default
    if field.constant:
        text = to_text(default)
        return (lambda _, out: out.append(text)), (lambda cursor, _: _skip(cursor))

    def encode(values: Values, out: list[str]) -> None:
        out.append(to_text(values.get(name, default)))  # type: ignore[arg-type]  # a scalar, by its table

    def decode(cursor: _Cursor, values: dict[str, Scalar | Sequence[Values]]) -> None:
        if field.may_miss and cursor.is_over:
            values[name] = default
            return
        text = cursor.take(name)
        try:
            values[name] = from_text(text)
        except FieldError as error:
            raise FieldError(f"field {name!r}: {error}") from None

    return encode, decode


def _shared_frames(table: Table, version: int, encode: Callable[[Values], list[str]]) -> SharedFrames:
    plain = [item for item in table.items if isinstance(item, Field) and item.since <= version <= item.until]
    given = [
        (field.name, field.kind.default if field.default is None else field.default)
        for field in plain
        if not field.constant
    ]
    return SharedFrames(encode, given, 1 + [field.name for field in plain].index(OWN))


def _skip(cursor: _Cursor) -> None:
    cursor.take("version")


def _compile_block(block: Block, version: int) -> tuple[_Encode, _Decode]:
    encode_items, decode_items = _compile(block.items, version)
    when = block.when

    def encode(values: Values, out: list[str]) -> None:
        if when(values):
            encode_items(values, out)

    def decode(cursor: _Cursor, values: dict[str, Scalar | Sequence[Values]]) -> None:
        if when(values):
            decode_items(cursor, values)

    return encode, decode


def _compile_rows(rows: Rows, version: int) -> tuple[_Encode, _Decode]:
    encode_row, decode_row = _compile(rows.items, version)
    name = rows.name

    def encode(values: Values, out: list[str]) -> None:
        given = list(rows_of(values, name))
        out.append(str(len(given)))
        for row in given:
            encode_row(row, out)

    def decode(cursor: _Cursor, values: dict[str, Scalar | Sequence[Values]]) -> None:
        count = COUNT.decode(cursor.take(name))
        if not isinstance(count, int) or not 0 <= count <= rows.rows_max:
            raise FieldError(f"field {name!r}: {count} rows")
        found: list[Values] = []
        values[name] = found
        for _ in range(count):
            row: dict[str, Scalar | Sequence[Values]] = {}
            decode_row(cursor, row)
            found.append(row)

    return encode, decode


def rows_of(values: Values, name: str) -> Iterator[Values]:
    """Yield the rows under a name; none when it is absent."""
    rows = values.get(name)
    if isinstance(rows, Sequence) and not isinstance(rows, str):
        yield from rows
