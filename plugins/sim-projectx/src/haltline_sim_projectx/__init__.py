"""A local ProjectX gateway for tests and examples: the real wire format, with faults on request.

Modules: `server` ProjectXSim, the whole of it · `market` prices, orders, positions · `endpoint` the REST calls ·
`hub` the two SignalR hubs · `token` session tokens · `limit` 429 · `failure` error codes · `record` what is kept ·
`trader` somebody at the platform's screen · `control` the same over HTTP. In: requests and scripts. Out: answers and
pushes, broken as ordered.
"""
