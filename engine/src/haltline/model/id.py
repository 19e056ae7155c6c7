"""Identities as distinct types, so that one cannot stand for another by mistake."""

from typing import NewType

AccountId = NewType("AccountId", str)
Symbol = NewType("Symbol", str)
OrderId = NewType("OrderId", str)
FillId = NewType("FillId", str)
RuleId = NewType("RuleId", str)
IncidentId = NewType("IncidentId", str)
ActionId = NewType("ActionId", str)
