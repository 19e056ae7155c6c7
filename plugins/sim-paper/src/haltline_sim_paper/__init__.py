"""The paper exchange as a separate process, faults on request, and the broker kind `paper_remote` that talks to it.

Modules: `wire` the frames of the protocol · `fault` what can be made to go wrong · `host` the exchange and its book on
disk · `line` frames of a connection · `session` one connection and its numbered pushes · `server` answers calls ·
`link` a client's connection · `order` pushes back in order · `broker` the `api.Broker` · `plugin` the hook ·
`__main__` the command.
In: JSON lines over TCP on loopback. Out: the same. Never: an answer or a push before the book that explains it is on
disk; a client that guesses whether a request took effect.
"""
