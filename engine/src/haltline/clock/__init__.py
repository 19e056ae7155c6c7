"""Time: the clocks, and durations and instants as text."""

from haltline.clock.duration import NS_PER_S as NS_PER_S
from haltline.clock.duration import format_duration as format_duration
from haltline.clock.duration import from_datetime as from_datetime
from haltline.clock.duration import from_iso as from_iso
from haltline.clock.duration import parse_duration as parse_duration
from haltline.clock.duration import to_datetime as to_datetime
from haltline.clock.duration import to_iso as to_iso
from haltline.clock.source import Clock as Clock
from haltline.clock.source import ManualClock as ManualClock
from haltline.clock.source import SteadyClock as SteadyClock
from haltline.clock.source import SystemClock as SystemClock
