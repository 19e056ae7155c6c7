"""The reviewed JSON Schemas of Haltline, as package data (`*.schema.json`)."""
