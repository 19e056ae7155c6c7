"""Crypto accounts through ccxt: broker kinds `bybit`, `binance`, `hyperliquid`, and `ccxt` for any other exchange.

REST is the truth, streams are wake-ups. Modules, from the wire upwards: `row` reading JSON · `failure` what a failed
call means · `clientid` ids of orders · `market` names and economics of instruments · `setting` the config sections ·
`client` ccxt's exchange object, tapped and pointed · `venue` what each venue must know, in `bybit/`, `binance/`,
`hyperliquid/` and `unified` · `book` what the engine was told last · `health` · `watermark` how far was read · `stream`
connections kept and watched · `deadman` · `diagnosis` · `reader` the half that reads · `broker` both halves · `plugin`.
In: config, orders. Out: events, reports. Never: a position from a cache of ccxt's, an order sent twice, a guess.
"""
