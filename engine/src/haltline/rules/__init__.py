"""Rules: from a rule as written to verdicts, incidents and merged actions. Pure and synchronous.

schedule   the hours in which a rule applies
condition  a `limit` or `when` becomes typed conditions with one tolerance
compile    every rule checked against the vocabulary and the actions; all problems at once
rule       a rule linked to a state: compiled conditions, ready to judge an entity
index      what must be looked at again when something changed: fused screens and windows
incident   the life of one rule on one entity: pending, warning, breached, resolved, unknown
arbiter    who wins when several rules decide for one account; what is already under way
flight     an enforcement on its way: how often it was tried, and when it is tried again
lock       lockouts as a set with union semantics
difference what changes between two rule sets
loosening  which way an edited rule goes: does it catch at least what it caught before?
exchange   what of other rules may be used at once, and what stands meanwhile

In: `model.rule.RuleSpec`, a vocabulary, actions. Out: transitions and planned actions. Never: I/O, clock reads.
"""
