"""What rules may name: the state's own fields and collections, and what plugins and definitions add."""

from collections.abc import Sequence

from haltline.api.registry import Registry
from haltline.expr.vocabulary import Vocabulary
from haltline.model.rule import Definition
from haltline.state.field import COLLECTIONS, FIELDS, ROOTS


def build_vocabulary(registry: Registry, definitions: Sequence[Definition] = ()) -> Vocabulary:
    """A fresh vocabulary, with a window plan of its own, for one rule set."""
    fields = {field.name: field for field in FIELDS}
    fields.update({name: field for name, field, _ in registry.fields.items()})
    return Vocabulary(
        fields=fields,
        collections={collection.name: collection for collection in COLLECTIONS},
        functions={name: function for name, function, _ in registry.functions.items()},
        definitions={each.name: each for each in definitions},
        roots=ROOTS,
    )
