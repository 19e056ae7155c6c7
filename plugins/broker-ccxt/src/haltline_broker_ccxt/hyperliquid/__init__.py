"""Hyperliquid perpetuals, one-way.

Modules: `wire` what its messages say, without any I/O · `venue` its calls and streams.
"""
