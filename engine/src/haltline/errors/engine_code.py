"""Codes of plugins (E5xx), outside data (E6xx), journal (E7xx), enforcement (E8xx) and command line (E9xx)."""

from haltline.errors.entry import CodeEntry

ENGINE_CODES: dict[str, CodeEntry] = {
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
    "E510": CodeEntry(
        "Observer removed",
        "Something that asked to be told of results raised an exception while it was told.",
        "Correct the plugin or callback that the message names; the engine itself goes on without it.",
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
    "E709": CodeEntry(
        "Quotes were removed",
        "What is asked for must be decided again from quotes that compaction removed; guessing them is not proof.",
        "Begin from a state saved later (`--lead`), use a backup, or keep quotes longer: `store: keep_quotes`.",
    ),
    "E710": CodeEntry(
        "Backup failed",
        "A copy of the journal could not be made or is not whole; nothing else was changed.",
        "Free some space or name another file; a copy that is not whole must not be restored.",
    ),
    "E711": CodeEntry(
        "Journal of another set-up",
        "The journal holds locks and positions of accounts that this set-up does not have, and none of those it has.",
        "Name another file under `store: path:`, or keep one of the accounts.",
    ),
    "E720": CodeEntry(
        "Not a capsule",
        "The file is something else than what `haltline capsule make` writes.",
        "Name a file that ends in `.capsule`.",
    ),
    "E721": CodeEntry(
        "Capsule damaged or changed",
        "The file was cut off, damaged or changed after it was written: a digest or the hash chain does not fit.",
        "Get the original file again; its name carries the digest of its content.",
    ),
    "E722": CodeEntry(
        "Capsule of a later version",
        "A newer haltline wrote this capsule in a format that this one does not know.",
        "Update haltline.",
    ),
    "E723": CodeEntry(
        "No such incident",
        "The journal has no incident of that id, rule or entity.",
        "Take one that the message names, or `--last` for the newest that fired.",
    ),
    "E724": CodeEntry(
        "Incident cannot be traced",
        "The records do not hold what deciding again needs: the rules in force, or events this version knows.",
        "Use the version that wrote them; incidents after its next start can be traced.",
    ),
    "E725": CodeEntry(
        "Capsule would hold a secret",
        "A value that the set-up reads by reference stands where it cannot be hidden without changing a decision.",
        "Take it out of labels, titles and rules, or keep the journal itself as evidence.",
    ),
    "E726": CodeEntry(
        "Incident cannot be told as a test",
        "A test written from the capsule does not come to the same verdict with the rules as they are.",
        "See what the message says; the capsule itself still proves the decision: `haltline capsule replay`.",
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
    "E804": CodeEntry(
        "Needs consent",
        "An enforcement would touch more than its caps allow, so it waits for an operator; entries stay blocked.",
        "Look at the account, then consent to that action or incident, or raise the cap in the rule or the set-up.",
    ),
    "E810": CodeEntry(
        "Engine not running",
        "A call needs a running engine.",
        "Use it inside `async with Haltline.open(...)`.",
    ),
    "E820": CodeEntry(
        "Guardian cannot reach the account",
        "The broker lives inside the engine's process, so another process cannot ask it or close anything there.",
        "Put the account on a broker that two processes can reach, or take its floor away.",
    ),
    "E821": CodeEntry(
        "Guardian may only exit",
        "The guardian's connection can read, cancel and close; it refused something else, or the engine is alive.",
        "Nothing to do if the engine is back; otherwise report it.",
    ),
    "E830": CodeEntry(
        "Rules cannot be used",
        "Reading, compiling or trying the rules failed in a way that nobody foresaw; the earlier rules stay in force.",
        "Undo the last edit; the text names what failed. Report it with the files.",
    ),
    "E831": CodeEntry(
        "Plugins need a restart",
        "The list of plugins was edited under a running engine, and plugins are loaded at a start only.",
        "Restart the engine, or undo the edit of `plugins`.",
    ),
    "E840": CodeEntry(
        "No such account",
        "The set-up has no account of that name.",
        "Correct the name; the message lists the accounts there are.",
    ),
    "E841": CodeEntry(
        "Arming needs a name and a reason",
        "An account is armed by a person who says why; both go on record.",
        "Name the operator and write a reason.",
    ),
    "E842": CodeEntry(
        "Gaps were not accepted",
        "Arming the account would leave uncovered what the message names, and nobody has accepted that.",
        "Close the gaps, or accept them by their codes (or `all`); `haltline arming ACCOUNT` explains them.",
    ),
    "E850": CodeEntry(
        "No such command",
        "An operator asked for a command that neither the engine nor a plugin of the set-up brings.",
        "Ask for `help`; correct the word.",
    ),
    "E851": CodeEntry(
        "Not allowed",
        "The operator is not listed, their role is too low for the command, or the account is not among theirs.",
        "Ask an admin; roles and accounts are under `operators` in the set-up.",
    ),
    "E852": CodeEntry(
        "Too many commands",
        "An operator sent more commands in a minute than `control: per_minute` allows.",
        "Wait a minute.",
    ),
    "E853": CodeEntry(
        "Arguments do not fit",
        "An argument of a command is missing, cannot be read, or names nothing that is there.",
        "Write the command as its message says; `help COMMAND` explains each argument.",
    ),
    "E854": CodeEntry(
        "Refused by the engine",
        "The engine took the request, and it makes no sense in the present state; nothing has changed.",
        "Read the sentence beside it; look at `status`.",
    ),
    "E855": CodeEntry(
        "Command failed",
        "A command of a plugin raised an error, or changed something although it says that it only reads.",
        "Tell its author; the journal has the reason.",
    ),
    "E856": CodeEntry(
        "Question is over",
        "A confirmation came too late, was given already, or was never asked for.",
        "Ask for the command again.",
    ),
    "E857": CodeEntry(
        "Not yours to confirm",
        "Whoever pressed did not ask, needs to be another operator, or gave a wrong one-time code.",
        "Let the right person press, where the question was asked.",
    ),
    "E858": CodeEntry(
        "Engine ended",
        "The engine stopped while a request waited for it.",
        "Start it, and ask again.",
    ),
    "E859": CodeEntry(
        "Local channel blocked",
        "Something that is no socket lies where the engine listens for local commands, beside the journal.",
        "Move the file that is named.",
    ),
    "E860": CodeEntry(
        "A drill goes on",
        "One drill of the alarm path at a time: two would be told as one.",
        "Wait for its end, at most a few minutes.",
    ),
    "E861": CodeEntry(
        "Not heard",
        "At least one channel has not taken a test message, or the alarm of a drill within half a minute.",
        "Read which channel that was, try it with 'haltline notify test', and drill again.",
    ),
    "E862": CodeEntry(
        "What we know is not what the broker shows",
        "Two comparisons in a row found a position or an order that the broker shows otherwise than its pushes told, "
        "although it was corrected in between; entries wait.",
        "Look at the account at the broker's own screen, ask `differences`, and check symbols, aliases and the stream.",
    ),
    "E863": CodeEntry(
        "Alarm path not ready",
        "The set-up lets an account be armed only where drills have shown that an alarm is heard (`arming:`), and they "
        "have not, or not lately. An account that is armed stays so.",
        "Run `drill ACCOUNT wait=2m` on the running engine, let somebody acknowledge it, look at `readiness`, and arm "
        "the account then; or accept it by its name, `not-ready`, which goes on record and is no part of `all`.",
    ),
    "E864": CodeEntry(
        "No drill may send orders there",
        "A drill flattens an account only where no account can hold real money: at a kind of broker that says so of "
        "itself. No option changes that. And it needs an engine that runs, and an account that is armed.",
        "Drill the account without `flatten`, or name one that is armed at the paper exchange.",
    ),
    "E865": CodeEntry(
        "Held since a flatten, and nobody knows why",
        "A position appeared after a flatten. It may be of an order that the flatten has cancelled and that filled all "
        "the same, or somebody's new trade: no fill names it, and the broker does not say what became of the order.",
        "Look at the account at the broker's own screen, and close the position if it is nobody's wish.",
    ),
    "E901": CodeEntry(
        "File already there",
        "`haltline init` or `haltline capsule to-test` would overwrite a file of yours.",
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
    "E906": CodeEntry(
        "Floor not understood",
        "`--floor` is written ACCOUNT=EQUITY, with an equity above 0 in the account's currency.",
        "Write it like `--floor eval=45000`, once per account.",
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
    "E909": CodeEntry(
        "No engine answers",
        "Commands of operators go to the engine that runs on the journal of the set-up; none answered there.",
        "Start it with `haltline run` as the same user, or name its set-up with --config.",
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
    "E912": CodeEntry(
        "Question about messages not understood",
        "A channel, label, severity or instant given to `haltline notify` is not there or not written as it must be.",
        "Write the names of channels of the set-up, labels as severity=critical, instants as 2026-03-02T22:30:00Z.",
    ),
    "E999": CodeEntry(
        "Internal error",
        "Haltline met something it does not expect. That is a bug, not a mistake of yours.",
        "Run again with HALTLINE_DEBUG=1 and report the trace file that is named.",
    ),
}
