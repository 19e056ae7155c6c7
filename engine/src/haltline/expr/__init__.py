"""Expressions of the rule language: text → checked tree → compiled code, or an explained evaluation.

Modules: `vocabulary` (what may be named), `parse` (text → bounded Python AST), `types` (kinds and their algebra),
`node` (the resolved tree), `resolve`, `calls`, `aggregate` and `history` (AST → tree, every mistake reported; they
share `context` and `report`), `fold` (constants), `check` (the door), `checked` (what comes out of it), `combine`
(limits into conditions), `value` and `stdlib` (the one meaning of every operation), `magnitude`, `emit` and `hoist`
(tree → Python source), `compile` and `screen` (source → code objects), `explain` (a recorded walk of the same tree on
simpleeval's evaluator), `window` (what history an expression needs).

In: text, a vocabulary, state objects. Out: `Checked`, compiled callables, `Explanation`, `Problem`s. Never: I/O, clock
reads, logging, `eval` of anything a person typed, an exception for a user's mistake.
"""
