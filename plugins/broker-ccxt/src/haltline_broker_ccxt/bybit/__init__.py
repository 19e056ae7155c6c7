"""Bybit, its unified trading account: linear contracts, every settle coin that is set up.

Modules: `wire` what its messages say, without any I/O · `venue` its calls and streams.
"""
