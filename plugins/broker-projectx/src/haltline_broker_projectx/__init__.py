"""Guards ProjectX accounts with Haltline, through project-x-py and pysignalr.

Modules: `plugin` the entry point · `kind` what it can do · `setting` its config · `library` the two libraries, made
quiet · `session` one login and its REST calls · `failure` the platform's codes as our errors · `wire` its records as
ours · `contract` instruments · `hub` a supervised SignalR hub · `truth` what was told so far · `reader` pushes, and the
re-reading beside them · `closing` exact closes and what became of them · `broker` the verbs · `diagnosis` what
`haltline doctor` is told.
In: REST replies and hub messages. Out: events, and calls.
"""
