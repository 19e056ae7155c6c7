"""The append-only record of everything that decides: one SQLite file, hash-chained, written by one process.

Modules: `record` and `receipt` what is written · `chain` the hashes · `error` what can go wrong, in words · `lease` one
writer · `schema` tables and migration · `store` the file · `memory` the same without a file · `snapshot` saved
states · `recover` where to continue · `query` export and verify in words · `curve` what accounts were worth.
In: entries. Out: records with sequence numbers.
Never: decides anything, changes or deletes a record, starts a task. All records are kept, quotes too.
"""
