"""All that plugins, bots and packs may see. Written by hand, sorted, and pinned by a snapshot test."""

from haltline.api.action import Action, Desk, HandledBy
from haltline.api.broker import (
    AccountSnapshot,
    Broker,
    BrokerKind,
    BrokerSetup,
    Capability,
    EventSink,
    QuoteTaker,
    Started,
)
from haltline.api.calendar import Calendar, CalendarKind
from haltline.api.feed import Feed, FeedKind, FeedSetup, Recording
from haltline.api.field import Change, Collection, Field, Kind, Provenance
from haltline.api.function import Function, Parameter
from haltline.api.hookspecs import hookimpl
from haltline.api.notifier import Message, Notifier, NotifierKind, NotifierSetup
from haltline.api.registry import Command, Observer, Registry, RulePack, Store, Surface

__all__ = [
    "AccountSnapshot",
    "Action",
    "Broker",
    "BrokerKind",
    "BrokerSetup",
    "Calendar",
    "CalendarKind",
    "Capability",
    "Change",
    "Collection",
    "Command",
    "Desk",
    "EventSink",
    "Feed",
    "FeedKind",
    "FeedSetup",
    "Field",
    "Function",
    "HandledBy",
    "Kind",
    "Message",
    "Notifier",
    "NotifierKind",
    "NotifierSetup",
    "Observer",
    "Parameter",
    "Provenance",
    "QuoteTaker",
    "Recording",
    "Registry",
    "RulePack",
    "Started",
    "Store",
    "Surface",
    "hookimpl",
]
