"""Codes of expressions (E3xx), and of the meaning of rules and set-ups (E4xx)."""

from haltline.errors.entry import CodeEntry

RULE_CODES: dict[str, CodeEntry] = {
    "E300": CodeEntry(
        "Empty expression",
        "An expression was left out.",
        "Write a condition such as `account.day.loss >= 1000`, or a value.",
    ),
    "E301": CodeEntry(
        "Not an expression",
        "The text does not follow the syntax of expressions.",
        "Check brackets, quotes and operators; write 0.8 for 80 %, `==` to compare, `and`, `or`, `not`.",
    ),
    "E302": CodeEntry(
        "Expression too long",
        "An expression may have at most 4,096 characters.",
        "Split it: name its parts under `define`.",
    ),
    "E303": CodeEntry(
        "Expression too deep or too large",
        "Nesting and size are bounded so that no rule can stall the engine.",
        "Flatten it, or split the rule in two.",
    ),
    "E304": CodeEntry(
        "Not part of the rule language",
        "Lambdas, methods, subscripts, f-strings, underscore names and the like do not exist here.",
        "Use fields, operators and the documented functions.",
    ),
    "E305": CodeEntry(
        "Unknown field",
        "No field, definition or input has this name.",
        "Correct the spelling; the reference lists every field.",
    ),
    "E306": CodeEntry(
        "Unknown function",
        "No built-in or plugin offers a function of this name.",
        "Correct the spelling, or enable the plugin that brings it.",
    ),
    "E307": CodeEntry(
        "Field not available in this scope",
        "A rule over each account has no single position to read, and so on.",
        "Read it in a generator (`sum(p.notional for p in account.positions)`), or change `each`.",
    ),
    "E308": CodeEntry(
        "Kinds do not fit",
        "Values of different kinds are compared, added or passed: money with a fraction, text with a number.",
        "Use values of one kind; bare numbers fit every numeric kind.",
    ),
    "E309": CodeEntry(
        "Wrong kind for this place",
        "A condition is needed and a value was found, or the other way round.",
        "Compare the value with something, or write a value.",
    ),
    "E310": CodeEntry(
        "Not one of the choices",
        "A text is compared with an enumeration that never has this value.",
        "Write one of the choices that the message lists.",
    ),
    "E311": CodeEntry(
        "Not a duration or time",
        "A text stands where a duration, an instant or a time of day is needed.",
        'Write "90s", "1h30m", "2025-05-06T09:30:00-04:00" or "15:30".',
    ),
    "E312": CodeEntry(
        "Wrong arguments",
        "A function is called with too many, too few or unknown arguments.",
        "Call it as the message shows.",
    ),
    "E313": CodeEntry(
        "Exponent out of bounds",
        "The right side of `**` must be a plain number between -10 and 10.",
        "Write a small literal exponent.",
    ),
    "E314": CodeEntry(
        "Number too large",
        "Numbers in expressions stay below 1e18.",
        "Write a smaller number.",
    ),
    "E315": CodeEntry(
        "Circular definition",
        "A definition needs itself, directly or through others.",
        "Break the circle.",
    ),
    "E316": CodeEntry(
        "Misused collection",
        "A collection is read as a value, or something else is walked as a collection.",
        "Walk a collection in a generator: `any(p.protected for p in account.positions)`.",
    ),
    "E317": CodeEntry(
        "Misused window",
        "A window needs a field of an object that lasts, and windows cannot be nested.",
        'Write `change(account.equity, "5m")`, or `sum(account.fills.pnl, "30m")` for fills.',
    ),
    "E318": CodeEntry(
        "Expression too costly",
        "One evaluation might take more than 100,000 steps, collections taken at their declared size.",
        "Walk fewer or smaller collections.",
    ),
    "E319": CodeEntry(
        "Always unknown",
        "The numbers written down never give a value, for instance by a division by zero.",
        "Correct the numbers.",
    ),
    "E320": CodeEntry(
        "Character not allowed",
        "Outside quoted texts only plain characters may stand.",
        "Retype the expression; look for invisible or look-alike characters.",
    ),
    "E401": CodeEntry(
        "Duplicate rule id",
        "Two rules have the same id, so incidents and commands could not tell them apart.",
        "Give every rule its own id.",
    ),
    "E402": CodeEntry(
        "Unknown action",
        "No installed plugin brings this action.",
        "Use the suggested one, or list the plugin under `plugins`.",
    ),
    "E403": CodeEntry(
        "Unknown parameter",
        "The action has no parameter of that name.",
        "Use one of those listed.",
    ),
    "E404": CodeEntry(
        "Missing parameter",
        "The action needs a parameter that has no default.",
        "Add it.",
    ),
    "E405": CodeEntry(
        "Parameter does not fit",
        "The value has the wrong type, or is not one of the choices.",
        "Write what the message names.",
    ),
    "E406": CodeEntry(
        "Unknown template",
        "No installed pack has a template of that name.",
        "Install the pack, or use the suggested name.",
    ),
    "E407": CodeEntry(
        "Missing input",
        "The template needs an input that has no default.",
        "Add it under `with`.",
    ),
    "E408": CodeEntry(
        "Unknown input",
        "The template has no input of that name.",
        "Use one of those listed.",
    ),
    "E409": CodeEntry(
        "Input of the wrong type",
        "The template declares another type for this input.",
        "Write what the message names.",
    ),
    "E410": CodeEntry(
        "Input out of range",
        "The value is outside the bounds or choices that the template declares.",
        "Keep to them.",
    ),
    "E411": CodeEntry(
        "Inputs contradict each other",
        "A constraint of the template between several inputs does not hold.",
        "Change one of the inputs named.",
    ),
    "E412": CodeEntry(
        "Loss limit that is always broken",
        "Losses are positive numbers here: a loss of 1,000 is 1000. A negative limit is always broken, and one `at: 0` "
        "is where nothing was lost.",
        "Write the limit as a positive number, or `max: 0` where any loss is too much.",
    ),
    "E413": CodeEntry(
        "Steps not in order",
        "The thresholds of `steps` must get strictly stricter from one to the next.",
        "Sort them: rising for `at` and `max`, falling for `min` and `down_to`.",
    ),
    "E414": CodeEntry(
        "Warning without a measure",
        "`warn` is a share of a positive limit, and `warn_then` says what happens then.",
        "Use both in a rule with a `limit` that is positive, or neither.",
    ),
    "E415": CodeEntry(
        "Keys that do not go together",
        "One of the keys has no meaning beside the other.",
        "Remove the one that the message names.",
    ),
    "E416": CodeEntry(
        "Suppresses no other rule",
        "`suppresses` names a rule that does not exist, or the rule itself.",
        "Write the id of another loaded rule.",
    ),
    "E417": CodeEntry(
        "Unknown broker",
        "The account names a broker that is neither under `brokers` nor a known kind.",
        "Add it under `brokers`, or use the suggested name.",
    ),
    "E418": CodeEntry(
        "Empty range",
        "The low end of `range` is not below the high end.",
        "Write `[low, high]`.",
    ),
    "E419": CodeEntry(
        "Defined twice",
        "The same name is defined in two places.",
        "Keep one.",
    ),
    "E420": CodeEntry(
        "Unknown kind",
        "No loaded plugin brings this kind of broker, feed or channel.",
        "Use the suggested one, or install the plugin and list it under `plugins`.",
    ),
    "E422": CodeEntry(
        "Action does not fit the scope",
        "The action makes no sense for what the rule is evaluated for.",
        "Change `each`, or use another action.",
    ),
    "E423": CodeEntry(
        "Unknown time zone",
        "The zone is not in the IANA time zone database.",
        "Write a name such as `America/Chicago`.",
    ),
    "E424": CodeEntry(
        "Override that cannot apply",
        "It selects nothing, selects what another override selects, or selects by what the rule's scope does not have.",
        "Select by `account` or `symbol`, each once.",
    ),
    "E425": CodeEntry(
        "Unknown account or symbol",
        "An override, or a floor of the guardian, names an account or a symbol that the set-up does not know.",
        "Correct the name, or add it to the set-up.",
    ),
    "E426": CodeEntry(
        "Broker cannot do it",
        "The rule's action needs something that the broker of an account does not offer.",
        "Use another action, or keep the account in shadow mode.",
    ),
    "E428": CodeEntry(
        "Instrument contradicts itself",
        "Only one of `tick_size` and `tick_value` is given, or an alias belongs to two instruments.",
        "Give both: a point is worth `tick_value / tick_size`.",
    ),
    "E429": CodeEntry(
        "Plugin listed twice",
        "The same plugin stands twice under `plugins`.",
        "Keep one.",
    ),
    "E430": CodeEntry(
        "Template contradicts itself",
        "The template uses an input that it does not declare, or compares what cannot be compared.",
        "Correct the template, or tell the authors of the pack.",
    ),
    "E431": CodeEntry(
        "Guardian too hasty",
        "One late look or heartbeat would already count as silence: the engine leaves a heartbeat every second.",
        "Allow a `silence` of at least 3s and of three times `interval`.",
    ),
    "E432": CodeEntry(
        "Nothing that can get stuck",
        "`escalate` says what is done about an enforcement that is stuck, and the rule enforces nothing at a broker.",
        "Remove it, or add an action such as flatten to `then`.",
    ),
    "E433": CodeEntry(
        "Patience not understood",
        "`after` of a step of `escalate` is neither a number of failed tries nor a time.",
        "Write 3 for three failed tries, or 30s for half a minute after the action was asked for.",
    ),
    "E434": CodeEntry(
        "Matcher not understood",
        "A matcher compares one label: `=`, `!=`, or with a simple regular expression `=~`, `!~`.",
        "Write severity=critical, account!=test or rule=~daily-.*; repeat no groups in expressions.",
    ),
    "E435": CodeEntry(
        "Unknown name under notify",
        "A route, a chain or an hour of rest names a channel, a chain or an entry of times that is not there.",
        "Correct the name, or add what it names.",
    ),
    "E436": CodeEntry(
        "Hours of notify not understood",
        "Times under `notify` are hours with a zone, because people hear messages by the clock on their wall.",
        "Write mon-fri 22:00-07:00 America/Chicago, or 00:00-00:00 UTC for a whole day.",
    ),
    "E437": CodeEntry(
        "Steps of a chain out of order",
        "Each step of an escalation comes later than the one before it.",
        "Put them in order; `after` counts from the first message.",
    ),
    "E438": CodeEntry(
        "Critical messages wait",
        "The set-up lets critical messages wait or rest, which they do only where it says so.",
        "Remove the key unless that is what you mean.",
    ),
    "E439": CodeEntry(
        "Route out of reach",
        "A route before this one takes everything, so that it never gets anything.",
        "Give the earlier route a `match` or `continue: true`, or put it last.",
    ),
    "E440": CodeEntry(
        "One identity, two operators",
        "Two operators have the same id on the same platform, so nobody could say who gave a command.",
        "Give the id to one of them.",
    ),
    "E441": CodeEntry(
        "No account for the operator",
        "A name or pattern under an operator's `accounts` fits no account of the set-up.",
        "Correct it, or add the account.",
    ),
    "E442": CodeEntry(
        "Not a secret of one-time codes",
        "The `totp` of an operator cannot be the secret of an authenticator: that is base32 of at least ten bytes.",
        "Make one with an authenticator, keep it in the environment, and write the reference.",
    ),
    "E443": CodeEntry(
        "Nobody could confirm",
        "`control: loosening` asks for a second person or a one-time code that no operator of the set-up could give.",
        "List a second operator of role risk-manager or admin, or give one of them a `totp`.",
    ),
    "E444": CodeEntry(
        "Not a time of a drill",
        "A drill of the set-up begins on certain days at a time in a named zone, and waits at most an hour to be"
        " acknowledged.",
        "Write `at: mon 08:30 Europe/Berlin`, and `wait: 2m`.",
    ),
    "E445": CodeEntry(
        "No drill is recent enough",
        "The set-up lets an account be armed only so shortly after a drill that nobody could do it in that time.",
        "Write how long ago the last drill may be: `drilled_within: 8d`.",
    ),
    "E446": CodeEntry(
        "Evidence for nothing",
        "A key under `evidence` is no action of the rule, or one that never waits for evidence.",
        "Name an action of the rule's `then`, `warn_then` or `steps`, or write `all` or `hold`.",
    ),
    "E447": CodeEntry(
        "Less evidence than usual",
        "The rule lets an action run on less evidence than it asks for by itself; a wrong price may then fire it.",
        "Remove the key unless that is what you mean.",
    ),
    "E448": CodeEntry(
        "A drill would flatten real money",
        "A drill may flatten an account only where no account can hold real money: at a kind of broker that says so of "
        "itself.",
        "Leave `flatten` out of the drill, or name an account at the paper exchange.",
    ),
    "E451": CodeEntry(
        "Suppressed rule not known",
        "`suppresses` names a rule that is not loaded, so nothing would ever be quiet.",
        "Write the id of a loaded rule, or remove the name.",
    ),
    "E452": CodeEntry(
        "A hold on an instant",
        "A rule for each fill or intent looks at one instant, which cannot hold for a while.",
        "Remove `for` and `clear_for`, or write the rule for each account or position.",
    ),
    "E453": CodeEntry(
        "Thresholds out of order",
        "The rungs of a ladder, or the two ends of a range, are not strictly in order.",
        "Write them ascending for max, at and range, descending for min and down_to.",
    ),
    "E454": CodeEntry(
        "Warning without a positive limit",
        "`warn` is a fraction of the limit, which says nothing where the limit is 0 or negative.",
        "Remove `warn`, or measure something whose limit is a positive number.",
    ),
    "E455": CodeEntry(
        "Hours not understood",
        "`during` or `except` holds a text that is neither session nor a time of day window.",
        "Write session, 09:30-16:00, or mon-fri 09:30-16:00 America/New_York.",
    ),
    "E456": CodeEntry(
        "Action not known",
        "A rule names an action that no plugin registered.",
        "Run `haltline fields` to see the actions, and check the plugins of the set-up.",
    ),
    "E457": CodeEntry(
        "Action out of place",
        "The action makes no sense for what the rule is evaluated for.",
        "Use one of the scopes that the message names, or another action.",
    ),
    "E458": CodeEntry(
        "Calendar not known to any source",
        "An account or instrument names a calendar that no plugin can make.",
        "Write an exchange's code (CMES, XNYS), 24/7, or hours such as mon-fri 09:30-16:00 America/New_York.",
    ),
    "E459": CodeEntry(
        "Definition for nothing",
        "A name under `define` must begin with what it is defined for, such as account or position.",
        "Rename it, for example account.risk_used.",
    ),
    "E461": CodeEntry(
        "Rule not loaded",
        "A question names a rule that is not in the running set.",
        "Use one of the ids that the message lists.",
    ),
    "E462": CodeEntry(
        "Window outside a rule",
        "Windows keep their history only for loaded rules, so a typed question cannot use one.",
        "Ask for the value itself, or put the window into a rule.",
    ),
    "E463": CodeEntry(
        "Entity not known",
        "A question names an account, position or order that does not exist now.",
        "Use one of the names that the message lists.",
    ),
}
