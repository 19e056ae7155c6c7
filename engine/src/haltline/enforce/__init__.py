"""The one door for effects: plans become requests to brokers, each on record before it is sent and confirmed by query.

Modules: `ledger` where it writes · `budget` how long and how often · `rate` how many calls a venue takes, `spacing` how
soon one more order follows for the same symbol · `order` the requests that reduce and protect · `legs` the requests of
one action as they live · `desk` the verbs, with retry and doubt resolved · `earlier` what earlier tries have left ·
`share` what hangs keeps nothing else waiting · `wall` whatever a broker raises · `naming` one name for each
instrument · `wait` awaits that can be cut short · `precedence` who goes before whom · `lane` what waits, runs and is
watched for one account · `cap` how much one action may touch · `verify` is it really so · `witness` what pushes have
shown · `confirm` does it stay so · `executor` plans in order, one lane per account · `progress` what is under way ·
`resume` what a crash left half done · `exitonly` a connection that can only exit. In: planned actions. Out:
ActionOutcome events and receipts.
Never: decides what to do, makes tasks, sends anything that is not in the journal.
"""
