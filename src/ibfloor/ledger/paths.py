"""Where the ledger's files stand in a floor's home."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ibfloor.model.ids import StrategyId

FACTS = "facts"
_WORKER = "worker-"


class LedgerPaths(msgspec.Struct, frozen=True):
    """Names of all files of one home; makes nothing but folders, and only when told."""

    home: Path

    @property
    def database(self) -> Path:
        """Return the SQLite ledger."""
        return self.home / "ledger.sqlite"

    @property
    def journal_dir(self) -> Path:
        """Return the folder of all journal segments."""
        return self.home / "journal"

    @property
    def latch(self) -> Path:
        """Return the kill switch's file."""
        return self.home / "kill.json"

    @property
    def lock(self) -> Path:
        """Return the file that a running floor holds locked."""
        return self.home / "floor.lock"

    @property
    def facts_journal(self) -> Path:
        """Return the path prefix of the MessageQueue's ordered journal."""
        return self.journal_dir / FACTS

    def worker_journal(self, strategy: StrategyId) -> Path:
        """Return the path prefix of a worker's write-ahead journal."""
        return self.journal_dir / f"{_WORKER}{strategy}"

    def worker_journals(self) -> list[Path]:
        """Return the path prefixes of all worker journals that have a segment."""
        names = {path.name.partition(".")[0] for path in self.journal_dir.glob(f"{_WORKER}*")}
        return [self.journal_dir / name for name in sorted(names)]

    def make_folders(self) -> None:
        """Make the folders, readable by their owner only."""
        self.journal_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
