"""The kernel: one synchronous, deterministic step from an event to transitions and a plan.

kernel      the step: state → screens → judgements → life cycle → arbiter → plan
emission    what one step collects
arrival     entities come and go: fills, and orders that end, are judged in that instant
retry       what did not succeed is tried again, with what its rule says now
escalation  what is stuck gets louder, step by step
governor    trading modes and locks: what they allow, and undoing what appears in spite of them
dark        what was open before a lock that began before the broker was heard of
request     what operators want done at the broker
late        orders that fill although a flatten has cancelled them
aftermath   what a flatten or close leaves to be watched, and whose it is
finding     is what a rule says sure enough for what it asks for?
evidence    what waits for a second witness, or for a breach to hold
consent     what waits for an operator, because it went beyond its caps
loosening   what guards less waits: for the next session, or for a second operator
permission  may this order be sent?
view        incidents, gauges and explanations for people
snapshot    the whole kernel as bytes, and back, exactly

In: events and the instant. Out: `model.plan.Result`. Never: I/O, clock reads, asyncio, logging, randomness.
"""
