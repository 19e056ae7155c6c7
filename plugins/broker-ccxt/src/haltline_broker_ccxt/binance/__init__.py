"""Binance USD-M futures.

Modules: `wire` what its messages say, without any I/O · `venue` its calls and streams.
"""
