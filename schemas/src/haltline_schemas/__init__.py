"""The reviewed JSON Schemas of Haltline, as package data: `NAME.schema.json` for setup, rules and template files.

They are the closed base. What plugins add (their `config`, the parameters of their actions) is composed with it by
`haltline schema`.
"""
