"""The equity of every account as it went: what a chart is drawn from."""

from collections.abc import Iterable, Iterator

import msgspec

from haltline.journal.record import Record
from haltline.model.id import AccountId


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One account at one instant, in its own currency; `equity` and `day_pnl` are None while they are not known."""

    account: AccountId
    equity: float | None
    day_pnl: float | None


class EquitySample(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts that have changed since the sample before."""

    points: tuple[EquityPoint, ...]


_SAMPLES = msgspec.json.Decoder(EquitySample)


def curve_of(records: Iterable[Record], account: AccountId) -> Iterator[tuple[int, EquityPoint]]:
    """The points of one account in `equity` records, each with its instant; it holds until the next one."""
    for record in records:
        for point in _SAMPLES.decode(record.body).points:
            if point.account == account:
                yield record.at, point
