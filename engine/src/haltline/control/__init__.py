"""Operations that people ask for, once: the command line uses them now, bots and web pages will.

status      what every account holds, how full its limits are, what is wrong: one frozen record
reference   every field, function and action that rules can name, with its meaning
basis       what decides besides events, as the journal keeps it
incidentspan  incidents as a journal tells them
capsule     one incident as one file: `capsulemake` writes, `capsulefile` reads and proves, `capsuleplay` decides again,
            `capsuletest` (with `capsulestep`, `capsuleyaml`) tells it as a rule test
outlook     what other rules would do now, on the state that a journal ends with

In: a kernel between two steps, or a registry. Out: frozen records without formatting.
Never: words for one surface only, or changes to the kernel except through its events.
"""
