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
        "A hook has an unknown name, other arguments or no marker, or the plugin has no hook at all.",
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
}
