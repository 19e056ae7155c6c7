"""Channels of Haltline through Apprise: mail, Slack, ntfy, Pushover and the rest, and a signed webhook.

plugin   the entry point: registers both kinds, imports neither library
service  the channel `apprise`: one service behind an Apprise URL
client   URL -> Apprise's client, or what is wrong with the URL
letter   message -> title and text that fit the service, and in which nothing of others is obeyed
worker   blocking calls, each in a thread of its own, given up after a deadline
hear     what Apprise and its HTTP client log during one call, heard by us and by nobody else
verdict  what was heard -> Transient or Refused, with a reason that holds nothing of the URL
webhook  the channel `webhook`: one signed POST a message
parcel   message -> JSON body, signature and headers
network  which addresses a webhook may connect to

In: messages. Out: requests to services. Never: on disk, retried here, or a secret in a log or an error.
"""
