"""Exceptions, problems with places, and the table of stable error codes."""

from haltline.errors.code import CODES as CODES
from haltline.errors.entry import CodeEntry as CodeEntry
from haltline.errors.problem import Place as Place
from haltline.errors.problem import Problem as Problem
from haltline.errors.tree import ConfigError as ConfigError
from haltline.errors.tree import DataRefused as DataRefused
from haltline.errors.tree import EngineError as EngineError
from haltline.errors.tree import InvariantBroken as InvariantBroken
from haltline.errors.tree import OutcomeUnknown as OutcomeUnknown
from haltline.errors.tree import PluginFailed as PluginFailed
from haltline.errors.tree import Refused as Refused
from haltline.errors.tree import SessionClosed as SessionClosed
from haltline.errors.tree import Transient as Transient
