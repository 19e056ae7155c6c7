"""Bybit, Binance USD-M and Hyperliquid on loopback: the real wire formats, one exchange behind them, faults on request.

Modules: `server` what the three share (`CryptoSim`) · `bybit`, `binance`, `hyperliquid` one venue each, with `…_rest`
calls, `…_stream` websockets, `…_shape` the form of its records, `…_code` its refusals · `account`, `order`, `market`,
`instrument` the state · `desk` what is accepted · `matching` what becomes of it · `event` what is told · `stream`
websockets and their faults · `limit` rate limits · `candle` bars of the past · `refusal` reasons by name · `keccak`,
`ethereum` who signed · `redirect` ccxt's URLs · `control` all of it over HTTP · `number`, `record` · `__main__` the
command.
In: requests of a client, a script. Out: answers and pushes as the venue gives them. Never: an import of the engine or
of a client library, a connection to anywhere but loopback, a position or a balance that does not follow from fills.
"""
