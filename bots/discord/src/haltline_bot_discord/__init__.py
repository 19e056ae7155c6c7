"""Haltline in Discord: slash commands, buttons and alerts through discord.py.

Modules: `plugin` what is registered · `front` the front end · `client` one connection, and what it hears · `talk` what
people ask and press · `slash` commands as Discord wants them declared · `alert` alerts and their threads · `draw` views
as embeds · `diagnosis` what `haltline doctor` is told · `failure` what an error means.
In: interactions. Out: requests to the control service, and what it answers.
Never: decides who may do what, trusts a server, role or channel, mentions anybody, writes the token anywhere.
"""
