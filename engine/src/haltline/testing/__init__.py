"""For people who write rules and plugins: what they test with.

pytest_plugin  collects `*.test.yaml`, one item a test (entry point of pytest, nothing to import)

In: test files. Out: pytest items. Never: imported by a running engine.
"""
