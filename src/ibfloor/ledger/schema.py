"""The SQLite ledger's shape: one script per schema version, applied in order, never edited."""

from __future__ import annotations

MIGRATIONS = (
    """
    CREATE TABLE facts (
        seq INTEGER PRIMARY KEY,
        ts_event_ns INTEGER NOT NULL,
        ts_init_ns INTEGER NOT NULL,
        kind TEXT NOT NULL,
        strategy TEXT,
        cl_ord_id TEXT,
        body BLOB NOT NULL
    );
    CREATE INDEX facts_by_order ON facts (cl_ord_id) WHERE cl_ord_id IS NOT NULL;
    CREATE TABLE orders (
        cl_ord_id TEXT PRIMARY KEY,
        strategy TEXT NOT NULL,
        instrument_id INTEGER NOT NULL,
        side TEXT NOT NULL,
        order_qty TEXT NOT NULL,
        ord_type TEXT NOT NULL,
        limit_px TEXT,
        stop_px TEXT,
        time_in_force TEXT NOT NULL,
        note TEXT NOT NULL,
        client_id INTEGER NOT NULL,
        order_id INTEGER NOT NULL,
        perm_ids TEXT NOT NULL,
        status TEXT NOT NULL,
        cum_qty TEXT NOT NULL,
        avg_px TEXT NOT NULL,
        text TEXT NOT NULL,
        ts_submitted_ns INTEGER NOT NULL,
        ts_updated_ns INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE executions (
        exec_id TEXT PRIMARY KEY,
        exec_root TEXT NOT NULL,
        revision INTEGER NOT NULL,
        cl_ord_id TEXT,
        strategy TEXT NOT NULL,
        instrument_id INTEGER NOT NULL,
        side TEXT NOT NULL,
        last_qty TEXT NOT NULL,
        last_px TEXT NOT NULL,
        currency TEXT NOT NULL,
        multiplier TEXT NOT NULL,
        ts_event_ns INTEGER NOT NULL,
        seq INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX executions_by_root ON executions (exec_root);
    CREATE TABLE fees (
        exec_id TEXT PRIMARY KEY,
        fee TEXT NOT NULL,
        fee_currency TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE VIEW fills AS
        SELECT executions.*, fees.fee, fees.fee_currency
        FROM executions LEFT JOIN fees USING (exec_id)
        WHERE NOT EXISTS (
            SELECT 1 FROM executions AS later
            WHERE later.exec_root = executions.exec_root AND later.revision > executions.revision
        );
    CREATE TABLE clients (
        strategy TEXT PRIMARY KEY,
        client_id INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE journal_marks (
        segment TEXT PRIMARY KEY,
        segment_id TEXT NOT NULL,
        folded_to INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE told (
        strategy TEXT PRIMARY KEY,
        number INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE entries (
        entry_id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        reason TEXT NOT NULL,
        actor TEXT NOT NULL,
        reverses TEXT NOT NULL,
        break_key TEXT NOT NULL,
        ts_event_ns INTEGER NOT NULL,
        seq INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX entries_by_reversed ON entries (reverses) WHERE reverses != '';
    CREATE TABLE entry_legs (
        leg_id TEXT PRIMARY KEY,
        entry_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        strategy TEXT NOT NULL,
        instrument_id INTEGER NOT NULL,
        qty TEXT,
        px TEXT,
        currency TEXT,
        multiplier TEXT,
        amount TEXT,
        new INTEGER,
        old INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX entry_legs_by_entry ON entry_legs (entry_id);
    """,
)
QUERY_TABLES = ("orders", "executions", "fees", "clients", "told", "entries", "entry_legs")
"""Tables that are a fold over ``facts`` and can be made again from it."""
