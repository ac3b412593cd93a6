"""Reports: what the journal tells, laid out for people and programs. Reads; never writes a ledger."""
