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
    "E561": CodeEntry(
        "Calendar not known",
        "No calendar of that name exists, or opening hours are not written as mon-fri 09:30-16:00 America/New_York.",
        "Use a name that `exchange-calendars` knows (CMES, XNYS, 24/7) or write the hours out.",
    ),
    "E601": CodeEntry(
        "Unknown account",
        "An event names an account that the set-up does not have; rules cannot guard what they do not know.",
        "Add the account to the set-up, or correct the broker's account mapping.",
    ),
    "E602": CodeEntry(
        "Unknown symbol",
        "An event names a symbol that is neither an instrument of the set-up nor an alias of one; its worth is unknown.",
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
    "E607": CodeEntry(
        "Fill off the tick",
        "A future, perpetual or option was filled at a price that is not a multiple of its tick size.",
        "Correct `tick_size` of the instrument, or the plugin that sends averaged prices as fills.",
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
}
