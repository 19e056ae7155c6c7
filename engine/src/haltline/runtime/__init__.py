"""Owns tasks and time: composes the parts, recovers, runs, and stops.

Modules: `supervise` the only maker of tasks · `writer` the one thread that writes · `inbox` what waits for the pump ·
`pump` the single writer of state · `publish` what follows from a result · `recovery` continue where a crash cut ·
`tail` does the journal end where it did, `sidetable` what stands beside its chain · `reconcile` believe the broker,
`believer` account by account, `guarded` can it act on it? `reach` tells of those where it cannot · `comparison` again
and again · `aftercare` what became of cancelled orders · `discreet` no secret in what brokers say · `namesake` two
markets under one name · `reload` other rules
while it runs, `rulefile` which files those are, `loosening` what was in force before and what waits · `arming` by the
set-up file · `drill` the alarm path tried, `drillroom` by people, `drillschedule` on time, `practiceflatten` a
flatten too · `engine` the live composition · `replay` the same on a virtual clock · `health` what is up · `pace`
short pauses · `watchdog` is it well, seen from inside · `heartbeat` the sign of life it leaves · `sampler` equity on
record · `upkeep` the journal proven and compacted, `backups` copied on time · `service_manager` systemd · `doctor`
can this set-up guard? · `guardian` the second process, with `enginewatch` on the engine, `floor` for one account and
`guardian_hand` to act, `handover` who of the two sends · `compose` brokers and channels of a set-up · `economics`
instruments as they are known now · `embed` the Python API · `surface` front ends · `console` the local channel, with
`frame`, `whereabouts` and `peer` · `frontdoor` the engine as commands see it.

In: a set-up. Out: a guarded account.
Never: decides (the kernel does), reads the clock past its own, lets quotes delay enforcement.
"""
