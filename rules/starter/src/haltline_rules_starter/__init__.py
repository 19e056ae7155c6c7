"""The starter rule pack: templates as package data, found through the entry point `haltline.rule_packs`."""
