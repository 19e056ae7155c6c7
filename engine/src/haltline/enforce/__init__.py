"""The one door for effects: plans become requests to brokers, each on record before it is sent and confirmed by query.

Modules: `ledger` where it writes · `budget` how long and how often · `order` the requests that reduce and
protect · `desk` the verbs, with retry and doubt resolved · `verify` is it really so · `executor` plans in order, one
lane per account · `resume` what a crash left half done ·
`exitonly` a connection that can only exit. In: planned actions. Out: ActionOutcome events and receipts.
Never: decides what to do, makes tasks, sends anything that is not in the journal.
"""
