"""What a capsule holds, for people and as JSON."""

import msgspec
from rich.table import Table
from rich.text import Text

from haltline.cli.output import Output
from haltline.cli.tree import reasoning_tree
from haltline.clock import format_duration, to_iso
from haltline.control.capsule import EXPLANATION, MESSAGES, Manifest
from haltline.control.capsulefile import Capsule
from haltline.kernel.view import Reasoning


def record_of(manifest: Manifest) -> dict[str, object]:
    """A manifest for JSON, its proof beside it."""
    return {"proof": manifest.proof, "manifest": manifest}


def show_capsule(output: Output, manifest: Manifest, capsule: Capsule | None = None) -> None:
    """The facts of a capsule; of an opened one also why it fired and what people were told."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for label, text in _rows(manifest, capsule):
        table.add_row(Text(label, style="dim"), Text(text))
    output.show(table)
    if capsule is None or output.json:
        return
    explanation = capsule.read(EXPLANATION)
    if explanation:
        output.say()
        output.say("Why", style="bold cyan")
        output.show(reasoning_tree(msgspec.json.decode(explanation, type=Reasoning), unicode=output.unicode))
    messages = capsule.read(MESSAGES).splitlines()
    if messages:
        output.say()
        output.say("What people were told", style="bold cyan")
        for line in messages:
            found = msgspec.json.decode(line)
            output.say(f"  {to_iso(found['at'])}  {found['text']}")


def _rows(manifest: Manifest, capsule: Capsule | None) -> list[tuple[str, str]]:
    incident, journal = manifest.incident, manifest.journal
    fired = to_iso(incident.fired_at) if incident.fired_at is not None else "never"
    ended = to_iso(incident.ended_at) if incident.ended_at is not None else "not yet"
    begins = "the journal's beginning" if manifest.taken_from is None else f"the state saved at {manifest.taken_from}"
    plugins = ", ".join(f"{name.partition(':')[2]} ({version})" for name, version in manifest.plugins.items())
    rows = [
        ("incident", f"{incident.id} ({incident.phase})"),
        ("opened", to_iso(incident.opened_at)),
        ("fired", fired),
        ("ended", ended),
        ("records", f"{journal.first} to {journal.last} of {journal.head_seq}, head {journal.head[:16]}…"),
        ("begins", f"{format_duration(manifest.lead_ns)} before, from {begins}"),
        ("decisions", f"{manifest.transitions} transitions, {manifest.plans} plans"),
        ("rules", manifest.rules[:16] + "…"),
        ("made by", f"haltline {manifest.engine}, Python {manifest.python}"),
        ("plugins", plugins or "none"),
        ("replay", manifest.proof),
    ]
    if manifest.hidden:
        rows.append(("hidden", f"a secret in {manifest.hidden} records"))
    if capsule is not None and not capsule.name_is_kept:
        rows.append(("name", "was changed: it does not carry the digest of the content any more"))
    return rows
