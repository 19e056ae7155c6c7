"""What expressions may name: fields, collections, functions, definitions, and the roots of each scope."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from haltline.api.field import Collection, Field
from haltline.api.function import Function
from haltline.expr.window import WindowPlan
from haltline.model.rule import Definition, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Everything that has a name.

    `roots[scope]` maps each root an expression of that scope may use to the code that reaches it from the entity,
    written ``{0}``; code without ``{0}`` (``clock``, ``portfolio``) names a binding. `plan` collects the windows of a
    whole rule set.
    """

    fields: Mapping[str, Field]
    collections: Mapping[str, Collection]
    roots: Mapping[Scope, Mapping[str, str]]
    functions: Mapping[str, Function] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    plan: WindowPlan = field(default_factory=WindowPlan)
