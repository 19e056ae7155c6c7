"""A local Telegram Bot API for tests and examples: the real wire format, with faults on request.

Modules: `server` the simulator (`TelegramSim`) · `human` scripted people and rooms · `world` the state · `record` what
is kept · `method` and `poll` the methods of the API · `markup`, `html_mode`, `markdown_mode`, `entity` formatted text ·
`limit` how fast a bot may write · `schema` requests against the published description · `control`
all of it over HTTP · `failure` the errors · `__main__` the command. Port, faults and transcript are those of sim-kit.
In: requests of a bot. Out: answers as the platform gives them. Never: an import of the engine,
a connection to anywhere but loopback, a state that the real platform could not be in.
"""
