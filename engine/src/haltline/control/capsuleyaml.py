"""Set-up parts of a capsule as a test file writes them."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec
import yaml

from haltline.clock import NS_PER_S, to_iso
from haltline.model.account import AccountSpec
from haltline.model.instrument import InstrumentSpec


class Block(str):
    """Text written as a block of lines."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Exact numbers as they are, no aliases, keys in the order given."""

    def ignore_aliases(self, data: object) -> bool:
        """Write everything out."""
        return True


def _decimal(dumper: yaml.SafeDumper, number: Decimal) -> yaml.Node:
    text = format(number, "f")
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


def _block(dumper: yaml.SafeDumper, text: Block) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(Decimal, _decimal)
_Dumper.add_representer(Block, _block)


def dump(content: dict[str, object]) -> str:
    """The YAML of a test file."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def accounts_of(accounts: Iterable[AccountSpec]) -> dict[str, object]:
    """The `accounts` of a test file: on paper, and otherwise as they were."""
    return {str(account.id): _account(account) for account in accounts}


def instruments_of(instruments: Iterable[InstrumentSpec]) -> dict[str, object]:
    """The `instruments` of a test file."""
    return {str(spec.symbol): _instrument(spec) for spec in instruments}


def _account(account: AccountSpec) -> dict[str, object]:
    found: dict[str, object] = {"broker": "paper", "balance": account.balance}
    default = AccountSpec(id=account.id)
    for name in ("currency", "calendar", "zone", "roll", "mark", "labels", "positions_from_broker"):
        value = getattr(account, name)
        if value != getattr(default, name):
            found[name] = str(value) if isinstance(value, str) else value
    return found | ({} if account.live else {"mode": "shadow"})


def _instrument(spec: InstrumentSpec) -> dict[str, object]:
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(spec):
        value = getattr(spec, field.name)
        if field.name == "symbol" or value in (None, "", ()):
            continue
        match field.name:
            case "stale_after_ns":
                found["stale_after"] = f"{value / NS_PER_S:g}s"
            case "expiry":
                found["expiry"] = to_iso(value)
            case "aliases":
                found["aliases"] = list(value)
            case _:
                found[field.name] = value if isinstance(value, Decimal | float) else str(value)
    return found
