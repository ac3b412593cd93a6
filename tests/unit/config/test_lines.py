"""The locator against documents whose lines are known by construction."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.config.lines import line_of

TEXT = '''\
# a comment with [brackets] and key = 1
name = "top"

[gateway]          # where
host = "127.0.0.1"
"quoted key" = 1
dotted.inner.key = 5
banner = """
port = 1
[risk]
"""
port = 4002

[[strategy]]
name = "a"
params = {fast = 1, slow = 2}

[[strategy]]
name = "b"
symbols = [
  "SPY",  # ] not the end
  "QQQ",
]
[strategy.risk]
max_order_qty = 4
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("gateway",), 4),
        (("gateway", "host"), 5),
        (("gateway", "quoted key"), 6),
        (("gateway", "dotted", "inner", "key"), 7),
        (("gateway", "banner"), 8),
        (("gateway", "port"), 12),
        (("strategy", 0), 14),
        (("strategy", 0, "params", "slow"), 16),
        (("strategy", 1), 18),
        (("strategy", 1, "symbols", 1), 20),
        (("strategy", 1, "risk"), 24),
        (("strategy", 1, "risk", "max_order_qty"), 25),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_of_a_key_is_where_its_statement_begins(path: tuple[str | int, ...], line: int, newline: str) -> None:
    assert line_of(TEXT.replace("\n", newline), path) == line


def test_an_absent_key_is_placed_at_its_nearest_parent() -> None:
    assert line_of(TEXT, ("gateway", "prot")) == 4
    assert line_of(TEXT, ("strategy", 1, "risk", "nothing", "deeper")) == 24
    assert line_of(TEXT, ("risk", "max_order_qty")) == 1
    assert line_of("", ("risk",)) == 1


_VALUES = st.sampled_from(
    ["1", '"text"', '"""\nkey0 = 3\n[t1]\n"""', "'''\n'''", "[\n 1,\n 2,\n]", "{a = 1}", "[]", "1.5e3"]
)
_FILLER = st.sampled_from(["", "# note", "\n\n", "  # [t0]"])


@pytest.mark.slow
@given(tables=st.lists(st.lists(st.tuples(_FILLER, _VALUES), max_size=6), min_size=1, max_size=6))
def test_every_key_of_any_document_is_found(tables: list[list[tuple[str, str]]]) -> None:
    text = ""
    expected: dict[tuple[str, ...], int] = {}
    for t, keys in enumerate(tables):
        expected[(f"t{t}",)] = text.count("\n") + 1
        text += f"[t{t}]\n"
        for k, (filler, value) in enumerate(keys):
            text += filler + "\n"
            expected[(f"t{t}", f"key{k}")] = text.count("\n") + 1
            text += f"key{k} = {value}\n"
    tomllib.loads(text)
    assert {path: line_of(text, path) for path in expected} == expected
