"""The sorts of price of an instrument, by their place in `Instrument.prices`, and the instant that never comes."""

MARK, LAST, MID, BID, ASK = 0, 1, 2, 3, 4
FAR = 1 << 62
"""An instant that never comes."""
