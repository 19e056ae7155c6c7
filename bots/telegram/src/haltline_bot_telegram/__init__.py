"""Haltline in Telegram: commands, buttons and alerts through aiogram, by long polling.

Modules: `plugin` what is registered · `front` the front end · `poll` updates, each once and none that is stale ·
`talk` what people say and press · `post` sending and editing · `markup` views as HTML · `failure` what an error
means · `lease` one poller per token · `diagnosis` what `haltline doctor` is told.
In: updates of the Bot API. Out: requests to the control service, and what it answers.
Never: decides who may do what, trusts a chat, writes the token anywhere.
"""
