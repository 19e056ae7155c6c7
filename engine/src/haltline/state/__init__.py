"""The state: broker and feed events in, entities that rules read out.

In: `Event`s and instants (`state.State.apply`, `advance`). Out: slotted entities, the lists of touched, created and
removed ones, and the next instant at which time alone changes something.

state        the store and its entry points       reduce      what each broker event does
field        the table of everything readable     freshness   staleness, rolls, sessions: what time does
account position order fill intent instrument portfolio       the entities; `entity` and `traded` are what they share
ledger       exact positions and profit           period      day, session and week of an account
day          the trading day                      hours       a calendar at the present instant
clockview    the clock root                       window      rolling windows over series and events
backing      is a price backed by a second observation?     suspicion   what speaks against prices
price        the sorts of price, by place
refuse       which outside data is unusable       snapshot    the whole state as plain values

Never: I/O, a look at the real clock, logging, or guessing a missing number.
"""
