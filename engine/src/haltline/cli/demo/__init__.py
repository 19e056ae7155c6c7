"""The demonstration: a trader over-trades on real stress, and the genuine engine protects the account.

history   real daily prices from the package `arch`, and what the generator takes from them
market    a session of generated prices, the same for the same seed
trader    the scripted trader: what he does at which price
stage     the engine on a paper account, moved through the session; nothing but prices and orders is scripted
story     what happened, as lines and as JSON
screen    the live picture
command   `haltline demo`
"""
