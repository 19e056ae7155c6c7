"""What simulators of venues and chat platforms share.

Modules: `simulator` what every one is · `chat` what those of chat platforms are · `control` its controls over HTTP ·
`command` serving until stopped · `host` the port, down and back again · `fault` what goes wrong, on request · `watch`
waiting for something to become so · `transcript` what was said. In: requests. Out: answers, broken as ordered.
"""
