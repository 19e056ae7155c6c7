"""Recordings of bars, ticks and fills, as events on a virtual clock.

Modules: `setting` (the `config` section) · `table` (files as batches of columns, streamed) · `column` (which column is
which, times and numbers out of any spelling) · `guard` and `problem` (bad rows and files) · `bar` `tick` `fill` (rows
to events) · `recording` (several files merged in time).
In: CSV, Parquet and Feather files. Out: events in order of time, the same at every reading. Never: a whole file in
memory, or a bad row passed on; pyarrow and numpy are imported only when a recording is opened.
"""
