"""The built-in channels: `console` (the terminal) and `jsonl` (a file of JSON lines).

In: a message. Out: the message written, or Transient/Refused. Never: waiting for a slow terminal on the event loop.
"""
