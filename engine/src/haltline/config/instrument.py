"""`instruments:` over the built-in table → InstrumentSpec; money is read exactly from the text."""

import functools
from decimal import Decimal
from importlib import resources

from haltline.clock import from_iso, parse_duration
from haltline.config.finding import Findings
from haltline.config.rule import texts_of
from haltline.config.scalar import decimal_of, fraction_of
from haltline.config.source import MappingNode, Node, ScalarNode, compose
from haltline.model.id import Symbol
from haltline.model.instrument import AssetClass, InstrumentSpec

_TICKS = ("tick_size", "tick_value")


@functools.cache
def built_in_instruments() -> MappingNode:
    """The table that comes with the engine, as nodes."""
    text = resources.files("haltline.config").joinpath("instruments.yaml").read_text("utf-8")
    node = compose(text, "built-in instruments")
    assert isinstance(node, MappingNode)
    return node


def bind_instruments(given: MappingNode | None, findings: Findings) -> tuple[InstrumentSpec, ...]:
    """The built-in instruments with the set-up's own laid over them, key by key; sorted by symbol."""
    table = built_in_instruments()
    entries: dict[str, MappingNode] = {
        symbol: node for symbol, node in table.entries.items() if isinstance(node, MappingNode)
    }
    for symbol, node in (given.entries if given is not None else {}).items():
        if isinstance(node, MappingNode):
            entries[symbol] = _laid_over(symbol, entries.get(symbol), node, findings)
    specs = [_bind(symbol, node, findings) for symbol, node in sorted(entries.items())]
    _require_unique_names(specs, given, findings)
    return tuple(specs)


def _laid_over(symbol: str, base: MappingNode | None, own: MappingNode, findings: Findings) -> MappingNode:
    present = [key for key in _TICKS if own.get(key) is not None]
    if base is None and len(present) == 1:
        missing = next(key for key in _TICKS if key not in present)
        findings.add("E428", own.keys[present[0]], f"{present[0]!r} without {missing!r}",
                     "give both: a point is worth tick_value / tick_size", where=f"instrument {symbol!r}")  # fmt: skip
    entries = dict(base.entries) if base is not None else {}
    keys = dict(base.keys) if base is not None else {}
    return MappingNode(entries={**entries, **own.entries}, keys={**keys, **own.keys}, place=own.place)


def _bind(symbol: str, node: MappingNode, findings: Findings) -> InstrumentSpec:
    default = InstrumentSpec(symbol=Symbol(symbol))
    asset_class = _text(node, "asset_class")
    margin = _text(node, "margin_fraction")
    share = fraction_of(margin) if margin else None
    stale_after = _text(node, "stale_after")
    return InstrumentSpec(
        symbol=Symbol(symbol),
        tick_size=_decimal(node, "tick_size", default.tick_size),
        tick_value=_decimal(node, "tick_value", default.tick_value),
        lot_size=_decimal(node, "lot_size", default.lot_size),
        currency=_text(node, "currency") or default.currency,
        asset_class=AssetClass(asset_class) if asset_class else default.asset_class,
        calendar=_text(node, "calendar") or default.calendar,
        underlying=_text(node, "underlying"),
        aliases=texts_of(node.get("aliases")),
        weight=float(_text(node, "weight") or default.weight),
        initial_margin=_exact(node, "initial_margin"),
        margin_fraction=Decimal(str(share)) if share is not None else _exact(node, "margin_fraction"),
        stale_after_ns=parse_duration(stale_after) if stale_after else None,
        expiry=_expiry(symbol, node.get("expiry"), findings),
        strike=float(_text(node, "strike")) if _text(node, "strike") else None,
        right=_text(node, "right"),
        tolerance=_tolerance(_text(node, "tolerance")),
    )


def _tolerance(text: str) -> float | None:
    share = fraction_of(text) if text else None
    return share if share is not None else float(text) if text else None


def _expiry(symbol: str, node: Node | None, findings: Findings) -> int | None:
    if not isinstance(node, ScalarNode):
        return None
    try:
        return from_iso(node.text)
    except ValueError:
        findings.add("E206", node.place, f"{node.shown!r} is not an instant with a zone",
                     "write 2025-12-19T15:00:00-06:00", where=f"instrument {symbol!r}: expiry")  # fmt: skip
        return None


def _require_unique_names(specs: list[InstrumentSpec], given: MappingNode | None, findings: Findings) -> None:
    owner: dict[str, str] = {str(spec.symbol): str(spec.symbol) for spec in specs}
    for spec in specs:
        for alias in spec.aliases:
            taken = owner.setdefault(alias, str(spec.symbol))
            if taken != spec.symbol and given is not None:
                findings.add(
                    "E428", given.place_of(spec.symbol), f"the name {alias!r} already belongs to {taken!r}",
                    "give every alias to one instrument", where=f"instrument {str(spec.symbol)!r}",
                )  # fmt: skip


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.text.strip() if isinstance(value, ScalarNode) else ""


def _exact(node: MappingNode, key: str) -> Decimal | None:
    text = _text(node, key)
    return decimal_of(text) if text else None


def _decimal(node: MappingNode, key: str, default: Decimal) -> Decimal:
    found = _exact(node, key)
    return default if found is None else found
