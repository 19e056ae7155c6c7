"""Trading hours: `exchange` (names that exchange-calendars knows, and ``24/7``) and `hours` (written out as text).

`sessions` answers from sorted instants.
In: a name. Out: an `api.Calendar`. Never: a clock read, or pandas at import time.
"""
