"""Messages for people: rendered in plain sentences, kept until a channel has confirmed them.

Modules: `render` what happened, in sentences · `route` which channels hear it · `outbox` durable queue, one lane per
channel, with repeats and fall-back. In: transitions, planned actions, receipts. Out: messages on channels.
Never: delays enforcement, makes tasks, loses a message that is not of the lowest severity. Grouping, escalation and
silences come between `route` and `outbox`.
"""
