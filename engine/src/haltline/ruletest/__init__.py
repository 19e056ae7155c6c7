"""Tests of rules: `*.test.yaml` files run on the real kernel with a virtual clock.

case      a test file in memory: cases, steps, expectations
load      test file → cases, with every problem at its place
series    ``21000 -25x4 _ stale``: prices over time, as text
event     one written step → the event the kernel is given
world     a kernel, its clock and its deadlines, and everything it said
outcome   when an enforcement counts as done · rehearsal  what it would touch beyond its caps
heard     written expectations of messages
hearing   who hears what: the routes and the desk of the live engine on the test's clock
expect    what was expected against what happened, as readable differences
coverage  which of the five cases of each rule a suite has shown
run       suites → report: the entry for the command line and for pytest
report    text, JSON and JUnit

In: test files and a registry. Out: `report.TestReport`. Never: a broker, a network, the wall clock.
"""
