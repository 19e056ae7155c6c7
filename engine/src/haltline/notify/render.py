"""What happened, in complete sentences: what is stopped, for which account, until when, and what was not done."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from haltline.api import Button, Message, Tone
from haltline.clock import NS_PER_S, format_duration
from haltline.journal.receipt import Receipt
from haltline.model.event import OutcomeStatus
from haltline.model.plan import PlannedAction
from haltline.model.rule import Severity
from haltline.model.verdict import Phase, Transition

if TYPE_CHECKING:  # a notice is made with this module's sentences
    from haltline.notify.notice import Notice

SNOOZE = "1h"
GRANT = "30m"
_MOST_LEGS = 12
_PHASE_WORDS = {
    Phase.OK: "is fine",
    Phase.PENDING: "is about to be broken",
    Phase.WARNING: "is close to its limit",
    Phase.BREACHED: "is broken",
    Phase.RESOLVED: "is fine again",
    Phase.UNKNOWN: "cannot be judged",
}


def notice_message(
    planned: PlannedAction, transition: Transition | None, siblings: Sequence[PlannedAction] = (), *, unit: str = ""
) -> Message:
    """The message of a `notify` action: what the rule says, counted in `unit`, and what is done about it in the same
    plan."""
    severity = _severity(planned, transition)
    title = _title(planned, transition)
    sentences = [f"{title}{_measure(transition, unit)}."]
    if transition and transition.reason:
        sentences.append(_sentence(transition.reason))
    extra = planned.params.get("text")
    if isinstance(extra, str) and extra:
        sentences.append(_sentence(extra))
    deeds = [other for other in siblings if planned.account is None or other.account in (planned.account, None)]
    sentences += _deeds([other for other in deeds if other.shadow == planned.shadow])
    if planned.shadow:
        sentences.append("This account or rule is in shadow: nothing was done; live, all this would have happened.")
    return Message(
        id=str(planned.id),
        at=planned.at,
        severity=severity,
        title=title,
        text=" ".join(sentences),
        facts=_facts(transition, unit),
        account=str(planned.account or ""),
        rule=", ".join(planned.rules),
        phase=transition.phase.value if transition else "",
    )


def _severity(planned: PlannedAction, transition: Transition | None) -> Severity:
    """How loudly: as the action itself says (what is stuck gets louder), else as its rule does."""
    own = planned.params.get("severity")
    if isinstance(own, str) and own in set(Severity):
        return Severity(own)
    return transition.severity if transition else Severity.WARNING


def receipt_message(receipt: Receipt) -> Message:
    """The message of a finished action: done with its proof, not done and what to look at, or what took over. Its facts
    are the requests, each with its state, price, slippage and time.
    """
    about = f"{receipt.symbol} on account {receipt.account}" if receipt.symbol else f"account {receipt.account}"
    what, mark = receipt.name.replace("_", " "), "DRILL: " if receipt.drill else ""
    if receipt.status is OutcomeStatus.DONE:
        severity, title = Severity.INFO, f"{mark}Done: {what} for {about}"
        text = f"{title}: {receipt}."
    elif receipt.status is OutcomeStatus.SUPERSEDED:
        severity, title = Severity.INFO, f"{mark}Superseded: {what} for {about}"
        text = f"{title}: {receipt}."
    elif receipt.status is OutcomeStatus.NEEDS_CONSENT:
        severity, title = Severity.CRITICAL, f"{mark}NEEDS CONSENT: {what} for {about}"
        text = f"{title}: {receipt}. Entries stay blocked until somebody decides."
    else:
        doubt = receipt.status is OutcomeStatus.UNKNOWN
        severity, title = Severity.CRITICAL, f"{mark}{'UNCERTAIN' if doubt else 'NOT DONE'}: {what} for {about}"
        text = f"{title}: {receipt}. Look at the account at the broker now."
    return Message(
        id=f"{receipt.action}:{receipt.status}",
        at=receipt.ended_at,
        severity=severity,
        title=title,
        text=text,
        account=str(receipt.account),
        rule=", ".join(receipt.rules),
        phase=receipt.status.value,
        facts=_requests(receipt),
    )


def _requests(receipt: Receipt) -> tuple[tuple[str, str], ...]:
    """One line per request, the first ones where there are many."""
    lines = [leg.words for leg in receipt.legs[:_MOST_LEGS]]
    more = len(receipt.legs) - len(lines)
    return (*lines, ("and", f"{more} more")) if more else tuple(lines)


def over_message(
    told: Message, begun: int, now: int, *, closing: "Notice | None" = None, deeds: Sequence[str] = (), reason: str = ""
) -> Message:
    """The end of something that people have heard of: how long it lasted, how bad it was, what was done and what is
    still locked. `closing` is what ended it; a message that its rule asks for then is kept whole."""
    said = closing.transition if closing is not None else None
    asked = closing is not None and closing.is_asked
    title = closing.message.title if closing is not None and asked else _ended(told.title)
    reason = reason or (said.reason if said is not None else "")
    sentences = [closing.message.text if closing is not None and asked else f"{title}."]
    worst = _worst(said, closing.unit if closing is not None else "")
    sentences.append(f"It lasted {format_duration((now - begun) // NS_PER_S * NS_PER_S)}{worst}.")
    if reason and not asked:
        sentences.append(_sentence(reason))
    if deeds:
        sentences.append(_sentence("; ".join(deeds)))
    if closing is not None and closing.standing:
        sentences.append(f"Still locked: {', '.join(closing.standing)}.")
    labels = {**told.labels, "phase": Phase.RESOLVED.value}
    return msgspec.structs.replace(
        told, id=f"{told.id}:over", at=now, title=title, text=" ".join(sentences), phase=Phase.RESOLVED.value,
        facts=(), buttons=(), items=(), labels=labels,
    )  # fmt: skip


def incident_buttons(labels: Mapping[str, str], *, acked: bool = False) -> tuple[Button, ...]:
    """What can be done about an incident that goes on: commands for whoever may use them."""
    incident, rule, entity = labels.get("incident", ""), labels.get("rule", ""), labels.get("entity", "")
    account = labels.get("account", "")
    if not incident:
        return ()
    about, here = {"rule": rule, "entity": entity}, {"account": account} if account else {}
    seen = Button(label="Acknowledge", command="ack", arguments={"incident": incident}, tone=Tone.GOOD)
    found = [] if acked else [seen]
    found.append(
        Button(label=f"Snooze {SNOOZE}", command="silence", arguments={"rule": rule, "for": SNOOZE, **here})
    )  # fmt: skip
    found.append(Button(label="Why?", command="why", arguments=about))
    granted = {**about, "for": GRANT, "reason": "granted from a message"}
    found.append(Button(label=f"Override {GRANT}", command="override", arguments=granted, tone=Tone.WARNING))
    if here:
        found.append(Button(label="Flatten", command="flatten", arguments=here, tone=Tone.BAD))
    return tuple(found)


def loss_message(at: int, channel: str, count: int) -> Message:
    """So many messages of the lowest severity were dropped because too many waited."""
    title = f"{count} messages were dropped"
    text = f"{title} because too many waited for the channel {channel}; all were of severity info. The journal has all."
    return Message(id=f"lost:{channel}:{at}", at=at, severity=Severity.WARNING, title=title, text=text)


def _ended(title: str) -> str:
    begun = next((words for words in _PHASE_WORDS.values() if title.endswith(words)), "")
    return title.removesuffix(begun) + _PHASE_WORDS[Phase.RESOLVED] if begun else f"{title}: over"


def _worst(said: Transition | None, unit: str) -> str:
    if said is None or said.worst is None:
        return ""
    limit = f" (limit {_amount(said.threshold, unit)})" if said.threshold is not None else ""
    return f"; the worst value was {_amount(said.worst, unit)}{limit}"


def _amount(number: float, unit: str) -> str:
    """Money with its currency, a fraction in per cent, anything else as it is."""
    if unit == "%":
        return f"{number * 100:,.4g}%"
    return f"{number:,.2f} {unit}" if unit else f"{number:,.10g}"


def alarm_message(at: int, title: str, text: str) -> Message:
    """Something is wrong with the engine itself."""
    return Message(id=f"alarm:{at}:{title}", at=at, severity=Severity.CRITICAL, title=title, text=text)


def _title(planned: PlannedAction, transition: Transition | None) -> str:
    rule = transition.rule if transition else ", ".join(planned.rules)
    entity = transition.entity if transition else planned.account or "the portfolio"
    words = _PHASE_WORDS[transition.phase] if transition else "asks for attention"
    named = f"“{planned.reason}”" if planned.reason and planned.reason != rule else f"rule {rule}"
    return f"{entity}: {named} {words}"


def _measure(transition: Transition | None, unit: str) -> str:
    if transition is None or transition.measured is None:
        return ""
    text = f": the value is {_amount(transition.measured, unit)}"
    if transition.threshold is not None:
        text += f", the limit {_amount(transition.threshold, unit)}"
    if transition.utilization is not None:
        text += f" ({transition.utilization:.0%})"
    return text


def _facts(transition: Transition | None, unit: str) -> tuple[tuple[str, str], ...]:
    if transition is None:
        return ()
    facts = [("rule", str(transition.rule)), ("entity", transition.entity)]
    if transition.measured is not None:
        facts.append(("value", _amount(transition.measured, unit)))
    if transition.threshold is not None:
        facts.append(("limit", _amount(transition.threshold, unit)))
    return tuple(facts)


def _deeds(planned: Sequence[PlannedAction]) -> list[str]:
    return [text for text in (_deed(action) for action in planned) if text]


def _deed(action: PlannedAction) -> str:
    account, symbol = action.account or "the portfolio", action.symbol
    match action.name:
        case "block_entries":
            return f"New entries on {account} are stopped while this lasts; exits and cancels stay possible."
        case "lock":
            end = _lock_end(action)
            what = f"{symbol} on {account}" if symbol and action.params.get("scope") == "symbol" else str(account)
            return f"{what} is locked {end}: new entries are stopped; exits and cancels stay possible."
        case "flatten":
            return f"All orders on {account} are being cancelled and all its positions closed."
        case "close_position":
            return f"The position {symbol} on {account} is being closed and its working orders cancelled."
        case "cancel_orders":
            return f"Working orders {f'in {symbol} ' if symbol else ''}on {account} are being cancelled."
        case "reduce_to" | "reduce_by" | "reduce_gross_to":
            return f"The position {symbol or 'size'} on {account} is being reduced."
        case "place_stop":
            return f"A protective stop for {symbol} on {account} is being placed."
        case "notify":
            return ""
        case _:
            return f"Action {action.name} is being carried out for {account}."


def _lock_end(action: PlannedAction) -> str:
    length, until = action.params.get("for"), action.params.get("until")
    if isinstance(length, (int, float)) and not isinstance(length, bool):
        return f"for {format_duration(round(length * 1e9))}"
    words = {
        "None": "until the next session",
        "next_session": "until the next session",
        "reset": "until the trading day rolls",
        "clear": "until the rule is fine again",
    }
    return words.get(str(until), "until an operator lifts it")


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
