"""For people who write rules and plugins: what they test with.

pytest_plugin  collects `*.test.yaml`, one item a test (entry point of pytest, nothing to import)
broker         the conformance suite of brokers: cases to parametrise a plugin's tests with
conformance    its numbered cases, and what an author of a plugin implements
notifier       the conformance suite of channels
dialogue       the conformance suite of front ends
stage          what an author of a front end implements for it, and one front end at work
surface        fakes of the control service and of a front end's memory
patience       waiting in these suites

In: test files, tests of plugins. Out: pytest items, fakes. Never: imported by a running engine.
"""
