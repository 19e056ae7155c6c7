"""What simulators of venues and chat platforms share.

Modules: `host` the port, down and back again · `fault` what goes wrong, on request · `watch` waiting for something to
become so · `transcript` what was said. In: requests. Out: answers, broken as ordered.
"""
