"""Codes of files and YAML (E1xx), and of their structure and schema (E2xx)."""

from haltline.errors.entry import CodeEntry

FILE_CODES: dict[str, CodeEntry] = {
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
        "The file holds a NUL byte or another control character: it is not a text file, or it was damaged. Or a value "
        "holds one, written as an escape: the terminal that shows it would obey it.",
        "Restore the file, or take the character out.",
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
    "E288": CodeEntry(
        "Saved state not readable",
        "The `state` of a test was cut off or changed after `haltline capsule to-test` wrote it.",
        "Write the test again from its capsule.",
    ),
    "E289": CodeEntry(
        "A test names a channel that is not there",
        "`expect_heard` names a channel that neither the test file nor the set-up it names has.",
        "Write the name of a channel; add `setup: haltline.yaml` or `channels:` to the test file.",
    ),
}
