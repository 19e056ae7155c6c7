"""Frozen records, one module a family: id, order, origin, instrument, account, event, rule, verdict, plan, loosening,
matcher.

Import from the module (``from haltline.model.event import Quote``). No behaviour beyond derived values.
"""
