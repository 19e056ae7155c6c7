"""An observer: how often each rule was broken, for a dashboard of your own."""

from collections import Counter

from haltline.api import Observer
from haltline.model.plan import Result
from haltline.model.verdict import Phase


class Tally:
    """Counts breaches by rule. It is called on the event loop, so it only counts."""

    def __init__(self) -> None:
        self.breaches: Counter[str] = Counter()

    def take(self, result: Result) -> None:
        """Count what one result says."""
        self.breaches.update(change.rule for change in result.transitions if change.phase is Phase.BREACHED)


TALLY = Tally()
OBSERVER = Observer(name="acme_tally", on_result=TALLY.take)
