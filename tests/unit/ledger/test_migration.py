"""A ledger of an older version is brought up to date where it stands, and keeps every fact."""

from __future__ import annotations

import sqlite3

import pytest

from ibfloor.ledger.fold import fold_facts
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.ledger.schema import MIGRATIONS
from ibfloor.ledger.store import LedgerStore
from ibfloor.ledger.verify import verify
from ibfloor.model.errors import LedgerError


@pytest.mark.thread("LEAN #7048")
@pytest.mark.thread("LEAN #5777")
@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_ledger_of_every_older_schema_keeps_its_facts(
    paths: LedgerPaths, journal: object, facts: object, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    story = facts(5)  # type: ignore[operator]
    journal(story)  # type: ignore[operator]
    with monkeypatch.context() as old:
        old.setattr("ibfloor.ledger.store.MIGRATIONS", MIGRATIONS[:version])
        with LedgerStore(paths.database) as store:
            fold_facts(store, paths, is_live=False)
    assert _version(paths) == version
    with recover(paths.home) as recovered:
        assert [fact for _, fact in recovered.facts()] == story
    assert _version(paths) == len(MIGRATIONS)
    assert verify(paths.home).problems == ()


def test_ledger_of_a_newer_version_is_refused(paths: LedgerPaths) -> None:
    with LedgerStore(paths.database):
        pass
    with sqlite3.connect(paths.database) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(LedgerError, match="newer ibfloor"):
        recover(paths.home)


def _version(paths: LedgerPaths) -> int:
    connection = sqlite3.connect(paths.database)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)
