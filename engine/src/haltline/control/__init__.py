"""Operations that people ask for, once: command line, bots and web pages use the same.

service     every request of an operator, from who asked to what was done: `operator` who they are and may do, `line`
            and `argument` what they said, `live` the names there are, `question` what waits for a press, `rate` how
            often, `audit` the record, `granted` a call that was allowed, `receipt`, `refusal` and `offer` what is
            answered, `note` what outlives the process, `door` the engine from inside
command     the built-in commands
readiness   how ready the alarm path has shown itself in drills, and what arming asks of it
practice    accounts without real money, where a drill may send orders
status      what every account holds, how full its limits are, what is wrong: one frozen record
reference   every field, function and action that rules can name, with its meaning
basis       what decides besides events, as the journal keeps it
incidentspan  incidents as a journal tells them
retention   what they still need of its quotes and saved states
capsule     one incident as one file: `capsulemake` writes, `capsulefile` reads and proves, `capsuleplay` decides again,
            `capsuletest` (with `capsulestep`, `capsuleyaml`) tells it as a rule test
arming      what arming an account guarantees, and what it does not cover
outlook     what other rules would do now, on the state that a journal ends with

In: a kernel between two steps, or a registry. Out: frozen records without formatting.
Never: words for one surface only, or changes to the kernel except through its events.
"""
