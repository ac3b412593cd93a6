"""How one value stands in text: numbers without a needless ``.0``, unset values as nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

Scalar = str | int | Decimal | float | bool | None
Values = Mapping[str, "Scalar | Sequence[Values]"]
"""A message's or a row's fields by name; rows of a repeated block are a sequence of the same."""

UNSET_NUMBER_TEXT = "1.7976931348623157E308"
UNSET_INT = 2**31 - 1
_UNSET_FROM = Decimal("1.797E308")
_UNSET_FROM_FLOAT = float(_UNSET_FROM)
_INFINITE_TEXT = "Infinite"
_PLACES_MAX = 18
"""Digits before or after the point that a sound price, quantity or id may have."""


class FieldError(ValueError):
    """A field's text is no value of its kind."""


class Kind(NamedTuple):
    """A field's type on the wire."""

    name: str
    encode: Callable[[Scalar], str]
    decode: Callable[[str], Scalar]
    default: Scalar


def number_text(value: Scalar) -> str:
    """Return a number's shortest plain text (``100``, never ``100.0``); nothing for ``None``."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and value >= _UNSET_FROM_FLOAT:
        return UNSET_NUMBER_TEXT
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        return _INFINITE_TEXT if number.is_infinite() else ""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _number(text: str) -> Scalar:
    if not text:
        return None
    if text in (_INFINITE_TEXT, "Infinity", "inf"):
        return Decimal("Infinity")
    value = _decimal(text)
    if value.adjusted() == _UNSET_FROM.adjusted() and value.copy_abs() >= _UNSET_FROM:
        return None
    if value and not -_PLACES_MAX <= value.adjusted() <= _PLACES_MAX:
        raise FieldError(f"{text[:40]!r} is out of range")
    return value


def _int(text: str) -> Scalar:
    if not text:
        return None
    value = _decimal(text)
    # no arithmetic before this check: an exponent can make a number of any size out of ten letters
    if value and value.adjusted() > _PLACES_MAX:
        raise FieldError(f"{text[:40]!r} is out of range")
    return None if value == UNSET_INT else int(value)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise FieldError(f"{text[:40]!r} is not a number") from None
    if not value.is_finite():
        raise FieldError(f"{text[:40]!r} is not a number")
    return value or Decimal(0)  # a zero may carry an exponent of any size


def _bool(text: str) -> Scalar:
    if text.lower() in ("", "0", "false"):
        return False
    if text.lower() in ("1", "true"):
        return True
    raise FieldError(f"{text[:40]!r} is neither 1 nor 0")


def _plain_text(value: Scalar) -> str:
    return "" if value is None else str(value).replace("\0", " ")


def _int_text(value: Scalar) -> str:
    return "" if value is None else str(int(value))


TEXT = Kind("text", _plain_text, lambda text: text, "")
INT = Kind("int", _int_text, _int, None)
COUNT = Kind("int", _int_text, lambda text: _int(text) or 0, 0)
NUMBER = Kind("number", number_text, _number, None)
AMOUNT = Kind("number", number_text, lambda text: _number(text) or Decimal(0), Decimal(0))
BOOL = Kind("bool", lambda value: "1" if value else "0", _bool, False)
LOUD_NUMBER = Kind("number", lambda value: UNSET_NUMBER_TEXT if value is None else number_text(value), _number, None)
"""A number whose absence is spelled out, as in commission reports."""
