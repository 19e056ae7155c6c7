"""The demonstration: a trader over-trades on real stress, and the genuine engine protects the account.

history   real daily prices from the package `arch`, and what the generator takes from them
market    a session of generated prices, the same for the same seed
trader    the scripted trader: what he does at which price
floor     the demonstration's own plugin: the paper broker with somebody watching, and a telephone
stage     the engine on a paper account, moved through the session; nothing but prices and orders is scripted
story     one line of what happened, and how long it is shown
teller    results, fills, receipts and messages become lines
screen    the live picture
command   `haltline demo`
"""
