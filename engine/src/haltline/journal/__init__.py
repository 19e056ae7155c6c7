"""The append-only record of everything that decides: one SQLite file, hash-chained, written by one process.

Modules: `record` and `receipt` what is written · `chain` the hashes · `error` what can go wrong, in words · `lease` one
writer · `schema` the tables · `store` the file · `memory` the same without a file · `snapshot` saved states ·
`actiontable` which actions have no receipt · `recover` where to continue · `query` export and verify in words · `curve`
what accounts were worth.
Looking after the file: `gap` records that are gone, and what vouches for it · `compact` old quotes removed · `proof`
how far the chain is proven · `mend` damaged records taken out · `backup` proven copies, `backup_process` in a process
apart · `migrate` older formats brought up to date · `size` what fills it.
In: entries. Out: records with sequence numbers.
Never: decides anything, changes a record, starts a task. Only old quotes and damaged records are ever removed, and a
record of the chain says which.
"""
