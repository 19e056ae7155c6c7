"""A local Discord (REST and gateway) for tests and examples: the real wire format, with faults on request.

Modules: `server` the simulator (`DiscordSim`) · `human` scripted people · `world` the state · `record` what is kept ·
`route` which request is what · `method`, `command`, `interaction` the operations · `content` what a message may hold ·
`gateway` sessions and events · `redirect` discord.py pointed here · `limit` how fast a bot may ask · `schema` requests
against the published description · `control` all of it over HTTP · `failure` the errors · `__main__` the command. Port,
faults and transcript are those of sim-kit. In: requests and a websocket of a
bot. Out: answers and events as the platform gives them. Never: an import of the engine, a connection to anywhere but
loopback, a state that the real platform could not be in.
"""
