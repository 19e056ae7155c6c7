"""The table of stable error codes: what each means and what to do, for `haltline explain CODE` and the docs.

E1xx files and YAML · E2xx structure and schema · E3xx expressions · E4xx meaning of rules and set-up ·
E5xx plugins · E6xx data from outside · E7xx journal · E8xx enforcement · E9xx command line
"""

from typing import NamedTuple


class CodeEntry(NamedTuple):
    """One row: a title, why it happens, and the cure."""

    title: str
    why: str
    cure: str


CODES: dict[str, CodeEntry] = {
    "E101": CodeEntry(
        "File cannot be read",
        "The file does not exist, or may not be read.",
        "Check the path and the permissions.",
    ),
    "E102": CodeEntry(
        "File too large",
        "A file that people write is a few kilobytes; more than 1 MiB is a wrong file or a generated one.",
        "Split it into several rule files.",
    ),
    "E103": CodeEntry(
        "Not UTF-8",
        "The file is saved in another encoding, such as Latin-1 or UTF-16.",
        "Save it as UTF-8.",
    ),
    "E104": CodeEntry(
        "Control character",
        "The file holds a NUL byte or another control character: it is not a text file, or it was damaged.",
        "Restore the file.",
    ),
    "E105": CodeEntry(
        "Empty file",
        "The file holds nothing but white space and comments, which is more often an accident than an intention.",
        "Write `version: 1` and `rules:`, or take the file out of the set-up.",
    ),
    "E106": CodeEntry(
        "Not valid YAML",
        "Indentation, brackets or quotation marks do not fit together.",
        "Look at the line named and the one above it.",
    ),
    "E107": CodeEntry(
        "Tab in the indentation",
        "YAML allows only spaces for indentation.",
        "Replace tabs with spaces; most editors do it on request.",
    ),
    "E108": CodeEntry(
        "Duplicate key",
        "The same key is given twice; one of the two would be ignored without a word.",
        "Remove one of them.",
    ),
    "E109": CodeEntry(
        "More than one document",
        "A `---` line starts a second document, which would be ignored.",
        "Use one file for each.",
    ),
    "E110": CodeEntry(
        "Too many values",
        "The file holds more than 100,000 values, every use of an `*alias` counted: it is a wrong file, or a trap.",
        "Split the file, or use fewer aliases.",
    ),
    "E111": CodeEntry(
        "Nested too deeply",
        "More than 40 levels of brackets or indentation.",
        "Flatten the structure; look for brackets that are not closed.",
    ),
    "E112": CodeEntry(
        "Unknown alias",
        "`*name` refers to an `&name` that does not stand before it.",
        "Define the anchor first, or quote a value that starts with `*`.",
    ),
    "E113": CodeEntry(
        "Tag not allowed",
        "`!tags` make parsers build objects; no file of ours needs them.",
        "Remove the tag and write the plain value.",
    ),
    "E115": CodeEntry(
        "Key is not a plain word",
        "A key is a list or mapping, or `<<` merges something that is no mapping.",
        "Write `key: value`; quote values that start with `{` or `[`.",
    ),
    "E116": CodeEntry(
        "Not a finite number",
        "Infinity and not-a-number are never a limit.",
        "Write a number, or leave the key out.",
    ),
    "E117": CodeEntry(
        "Environment variable missing",
        "`${NAME}` refers to a variable that is not set, or is empty.",
        "Set it, or write `${NAME:-default}`.",
    ),
    "E118": CodeEntry(
        "Referenced file missing",
        "`${file:path}` refers to a file that cannot be read; the path is relative to the file it stands in.",
        "Check the path and its permissions.",
    ),
    "E119": CodeEntry(
        "Malformed reference",
        "`${…}` holds neither a name nor `file:path`, or is not closed.",
        "Write `${NAME}`, `${NAME:-default}` or `${file:path}`.",
    ),
    "E120": CodeEntry(
        "Neither set-up nor rules",
        "The file has none of the keys of a set-up, a rule file or a template.",
        "Check that it is the right file.",
    ),
    "E121": CodeEntry(
        "No rule file matches",
        "A pattern under `rules:` of the set-up matches nothing, so those rules would not watch.",
        "Correct the pattern; it is relative to the set-up file.",
    ),
    "E201": CodeEntry(
        "Unknown key",
        "The key is not known at this place; a misspelled key would otherwise be ignored.",
        "Use the suggested key, or see the rule guide.",
    ),
    "E202": CodeEntry(
        "Missing key",
        "A key that is needed is missing or empty.",
        "Add it.",
    ),
    "E203": CodeEntry(
        "Wrong kind of thing",
        "A list, a mapping or a single value stands where another kind is needed.",
        "Lists start with `- ` or stand in `[]`, mappings are `key: value`.",
    ),
    "E204": CodeEntry(
        "Wrong type of value",
        "For example a text where a number is needed.",
        "Write the type that the message names; quote a text that looks like a number.",
    ),
    "E205": CodeEntry(
        "Not one of the choices",
        "The word is not one that is known at this place.",
        "Choose one of those listed.",
    ),
    "E206": CodeEntry(
        "Wrong form",
        "A name, currency or instant is not written the way it must be.",
        "See the example in the message.",
    ),
    "E207": CodeEntry(
        "Out of range",
        "The number is outside what is allowed at this place.",
        "Keep to the bound in the message.",
    ),
    "E208": CodeEntry(
        "Not a duration",
        "Durations carry their units.",
        "Write `90s`, `5m`, `1h30m` or `2d`.",
    ),
    "E209": CodeEntry(
        "Not a fraction",
        "A share lies between 0 and 1; a bare `80` could mean 80 or 8,000 percent.",
        "Write `80%` or `0.8`.",
    ),
    "E210": CodeEntry(
        "One condition, not none or two",
        "A rule has exactly one of `when`, `limit` and `use`.",
        "Keep one; split a rule that needs two.",
    ),
    "E211": CodeEntry(
        "One comparison, not none or two",
        "A limit has exactly one of `max`, `at`, `min`, `down_to`, `range`, `steps`: it is never guessed.",
        "Keep one. `max` is broken above, `at` at or above, `min` below, `down_to` at or below.",
    ),
    "E212": CodeEntry(
        "Looks like a number or a switch, but is none",
        "`yes`, `010`, `1:30` and `1,000` mean different things to different YAML readers.",
        "Write `true`, or the plain decimal number.",
    ),
    "E213": CodeEntry(
        "Too few or too many",
        "A list or mapping has too few or too many parts.",
        "Keep to the number in the message.",
    ),
    "E214": CodeEntry(
        "Unknown version",
        "The file says it is of a format version that this engine does not know.",
        "Write `version: 1`, or upgrade the engine.",
    ),
    "E215": CodeEntry(
        "Does not fit a plugin's schema",
        "The plugin that this `config` belongs to refuses it.",
        "See the plugin's documentation.",
    ),
    "E216": CodeEntry(
        "Malformed action",
        "An action is a name, or a mapping with just one name.",
        "Write `notify` or `{reduce_to: {quantity: 5}}`; start every action with `- `.",
    ),
    "E217": CodeEntry(
        "Not a time of day",
        "Times of day are HH:MM on a 24-hour clock.",
        'Write `"17:00"`.',
    ),
    "E280": CodeEntry(
        "Unknown key in a test file",
        "A key of a test file, a test, a step or an expectation is not known: most often a spelling mistake.",
        "Write the key that is meant; `haltline schema` prints all of them.",
    ),
    "E281": CodeEntry(
        "Wrong kind of value in a test file",
        "A list stands where a mapping is needed, or the other way round.",
        "Write 'key: value' lines for a mapping, lines that start with '- ' for a list.",
    ),
    "E282": CodeEntry(
        "Wrong value in a test file",
        "A value cannot be read as what the key needs: a number, an instant, a duration, one of a few words.",
        "Write the value in the form that the message names.",
    ),
    "E283": CodeEntry(
        "Something is missing in a test file",
        "A needed key is not there: accounts, tests, the name or instant of a test, the rule of an expectation.",
        "Add the key.",
    ),
    "E284": CodeEntry(
        "A step does not do exactly one thing",
        "Every step makes one thing happen, or only looks; two at once would leave their order open.",
        "Write one step for each thing that happens, in order.",
    ),
    "E285": CodeEntry(
        "A series of prices was not understood",
        "Series are written as prices and steps: 21000 -25x4 _x2 stale 20900+5x3.",
        "Correct the word that the message names.",
    ),
    "E286": CodeEntry(
        "Two tests of one name",
        "Reports name tests by their names, so each must have its own.",
        "Rename one of them.",
    ),
    "E287": CodeEntry(
        "A test names a rule that is not there",
        "An expectation, or `covers`, names a rule that none of the rule files of the test defines.",
        "Write the id of a rule; rules of a template carry the id given beside `use`.",
    ),
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
        "Negative loss limit",
        "Losses are positive numbers here: a loss of 1,000 is 1000, so a negative limit is always broken.",
        "Write the limit as a positive number.",
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
        "No loaded plugin brings this kind of broker, feed, channel or store.",
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
        "An override names an account or a symbol that the set-up does not know.",
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
    "E501": CodeEntry(
        "Plugin not installed",
        "The set-up names a plugin that no installed distribution brings.",
        "Install its distribution with pip, or correct the name under `plugins`.",
    ),
    "E502": CodeEntry(
        "Plugin name used twice",
        "Two installed distributions bring a plugin of the same name, so the name says nothing.",
        "Uninstall all but one of them.",
    ),
    "E503": CodeEntry(
        "Registered twice",
        "Two plugins offer something of the same sort under the same name, or one offers it twice.",
        "Enable only one of the two, or ask one author to rename.",
    ),
    "E504": CodeEntry(
        "Plugin cannot be imported",
        "Importing the plugin raised an error; often something it needs is not installed.",
        "Install what the message names, or take the plugin out of `plugins`.",
    ),
    "E505": CodeEntry(
        "Plugin hook failed",
        "A hook of the plugin raised an error; everything it had registered was taken back.",
        "Update the plugin, or take it out of `plugins`.",
    ),
    "E506": CodeEntry(
        "Hook not known",
        "The plugin has a hook of an unknown name or with other arguments, one without the marker, or none at all.",
        "Compare the hooks with the ten in haltline.api.hookspecs, and mark each with @hookimpl.",
    ),
    "E507": CodeEntry(
        "Plugin made for another version",
        "The plugin's own metadata asks for a range of engine versions that excludes this one; it was not imported.",
        "Install a version of the plugin, or of haltline, that fits.",
    ),
    "E508": CodeEntry(
        "Plugin registered something unusable",
        "A name, schema, action or function that the plugin registered breaks the contract of its kind.",
        "Report it to the plugin's author; the message names each flaw.",
    ),
    "E509": CodeEntry(
        "Rule pack cannot be used",
        "An installed rule pack has no folder, no YAML file, or a name that is taken.",
        "Reinstall or remove the distribution that brings it.",
    ),
    "E551": CodeEntry(
        "Recording cannot be read",
        "A file of a recording is missing, is not of the format its name says, or ends in the middle.",
        "Check the path (relative ones start at the set-up's folder) and download or export the file again.",
    ),
    "E552": CodeEntry(
        "Recording lacks a column",
        "A file of a recording has no column that a time, price or quantity could be read from.",
        "Rename the column, or name it under `columns`.",
    ),
    "E553": CodeEntry(
        "Recording has a bad row",
        "A row lacks a number, has a price or size of 0 or less, a high below a low, or a time out of order.",
        "Correct the row, or set `bad_rows: skip` to leave such rows out and count them.",
    ),
    "E554": CodeEntry(
        "Recording is empty",
        "A file of a recording has no row that can be used.",
        "Check that the export worked and that the right file is named.",
    ),
    "E601": CodeEntry(
        "Unknown account",
        "An event names an account that the set-up does not have; rules cannot guard what they do not know.",
        "Add the account to the set-up, or correct the broker's account mapping.",
    ),
    "E602": CodeEntry(
        "Unknown symbol",
        "An event names a symbol that is neither an instrument of the set-up nor an alias; its worth is unknown.",
        "Add the instrument with its tick size and tick value, or add the name to an instrument's aliases.",
    ),
    "E603": CodeEntry(
        "Number not usable",
        "A number from outside was NaN, infinite, or 1e18 and beyond; such numbers never enter the state.",
        "Find out why the feed or broker sends it; the event was left out and nothing else changed.",
    ),
    "E604": CodeEntry(
        "Number not above zero",
        "A price or quantity was zero or negative; sizes are positive and direction is told by the side.",
        "Correct the plugin that maps the venue's message; negative prices are not supported.",
    ),
    "E605": CodeEntry(
        "Crossed quote",
        "The bid was above the ask, which no market shows for real: a mixture of two moments or a bad tick.",
        "Nothing to do for single ones; many mean that the feed merges sources wrongly.",
    ),
    "E606": CodeEntry(
        "Quote without a price",
        "A quote held neither bid, ask, last nor mark.",
        "Send at least one price, or no quote at all; missing quotes make prices stale in time.",
    ),
    "E608": CodeEntry(
        "Negative fee",
        "A fee is a cost and cannot be negative.",
        "Send a rebate as a cash flow, or correct the sign in the plugin.",
    ),
    "E609": CodeEntry(
        "Void of an unknown fill",
        "The broker takes back a fill that was never seen, or so long ago that it is no longer kept.",
        "Reconcile: the broker's next position and account report puts size and balance right.",
    ),
    "E610": CodeEntry(
        "Order does not add up",
        "An order was said to be filled by less than nothing or by more than its quantity.",
        "Correct the plugin that maps the venue's message.",
    ),
    "E611": CodeEntry(
        "Name taken by another instrument",
        "A symbol or alias already belongs to another instrument, so events would reach the wrong one.",
        "Rename one of them, or drop the alias.",
    ),
    "E612": CodeEntry(
        "Unknown calendar",
        "An instrument names a trading calendar that no plugin brings.",
        "Name a calendar that exists (`24/7` always does), or enable the plugin that brings it.",
    ),
    "E701": CodeEntry(
        "Journal in use",
        "Two engines must never write one journal: their records would contradict each other.",
        "Stop the other `haltline run`, or give this one its own file under `store: path:`.",
    ),
    "E702": CodeEntry(
        "Disk full",
        "The journal could not be written, and nothing may be decided that is not on record.",
        "Free some space and start again; everything written so far is safe.",
    ),
    "E703": CodeEntry(
        "Not a journal",
        "The file under `store: path:` exists and was not made by haltline.",
        "Name another file.",
    ),
    "E704": CodeEntry(
        "Journal of a later version",
        "A newer haltline wrote this journal in a format that this one does not know.",
        "Update haltline, or use another file.",
    ),
    "E705": CodeEntry(
        "Broken journal",
        "A record was changed, removed or damaged after it was written: its hash does not fit the chain.",
        "Keep the file for inspection; start on a new one or restore a backup.",
    ),
    "E706": CodeEntry(
        "Journal cannot be opened",
        "The file system refused: a missing folder, missing permission, or an error of the disk.",
        "Check that the folder exists and may be written to.",
    ),
    "E707": CodeEntry(
        "Snapshot cannot be read",
        "The saved state is damaged or is no snapshot of this engine.",
        "Start again: the engine recovers from the snapshot before it, or from the events alone.",
    ),
    "E708": CodeEntry(
        "Snapshot of another version",
        "The saved state was written by another version of the engine.",
        "Start the version that wrote it, or move the journal away and start fresh.",
    ),
    "E801": CodeEntry(
        "Enforcement failed",
        "The broker refused, or could not be reached in time, so what a rule demands is not done.",
        "Look at the account at the broker now; the message says what remains.",
    ),
    "E802": CodeEntry(
        "Too much to enforce",
        "More actions were waiting than the engine holds; the newest was refused.",
        "Look at the account at the broker, and at the connection to it.",
    ),
    "E803": CodeEntry(
        "Outcome unknown",
        "A request to the broker was cut off, and the broker cannot be asked what became of it.",
        "Look at the account at the broker now; the engine looks again before it does anything else.",
    ),
    "E810": CodeEntry(
        "Engine not running",
        "A call needs a running engine.",
        "Use it inside `async with Haltline.open(...)`.",
    ),
    "E901": CodeEntry(
        "File already there",
        "`haltline init` would overwrite a file of yours.",
        "Choose another folder, or say `--force`.",
    ),
    "E902": CodeEntry(
        "No set-up found",
        "A command needs a `haltline.yaml` and there is none in this folder or above it.",
        "Run `haltline init` here, or name the file with `--config`.",
    ),
    "E903": CodeEntry(
        "Nothing of that name",
        "`haltline explain` was given a word that is no rule, code, field, function, action or collection.",
        "Look the name up with `haltline fields`, or give a rule and an entity.",
    ),
    "E904": CodeEntry(
        "No such file or folder",
        "A path on the command line does not exist.",
        "Correct the path; it is relative to the folder you are in.",
    ),
    "E905": CodeEntry(
        "Position not understood",
        "`--position` is written SYMBOL:+QUANTITY or SYMBOL:-QUANTITY, with @PRICE behind it if you like.",
        "Write it like `LAYERUSDT:+1000@3.10`; without a price it is opened at the first one of the recording.",
    ),
    "E907": CodeEntry(
        "No journal yet",
        "There is no journal where the set-up keeps it.",
        "Start `haltline run` once, or name another set-up with `--config`.",
    ),
    "E908": CodeEntry(
        "Data of the demonstration missing",
        "The daily prices that the package `arch` ships were not found.",
        "Install the package again: `pip install --force-reinstall arch`.",
    ),
    "E910": CodeEntry(
        "File cannot be used",
        "The operating system refused to read or write a file.",
        "Check the path and your permission to use it.",
    ),
    "E911": CodeEntry(
        "Refused",
        "The engine understood the request and cannot do it.",
        "The message says why; `haltline check` finds mistakes in files.",
    ),
    "E999": CodeEntry(
        "Internal error",
        "Haltline met something it does not expect. That is a bug, not a mistake of yours.",
        "Run again with HALTLINE_DEBUG=1 and report the trace file that is named.",
    ),
}
