"""For people who write rules and plugins: what they test with.

pytest_plugin  collects `*.test.yaml`, one item a test (entry point of pytest, nothing to import)
surface        fakes of the control service and of a front end's memory

In: test files, tests of plugins. Out: pytest items, fakes. Never: imported by a running engine.
"""
