"""Finds, checks, loads and reports plugins; nothing that one of them does reaches another.

Modules: `discover` (what is installed) · `version` (does it fit this engine) · `load` (the guarded loader) ·
`shape` (is what it registered usable) · `pack` (rule packs, which are data) · `report` (what people are shown).
In: the names that the set-up asks for. Out: a frozen registry and one report a plugin. Never: a plugin that was not
named, a global plugin manager, or a failure that is swallowed.
"""
