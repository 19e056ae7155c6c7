"""The built-in commands of operators, by what they are about; plugins add more.

catalogue  all of them
look       what accounts hold and have made
limit      rules, why, headroom
incident   what is wrong, and messages about it
restrain   locks, pauses, overrides
act        what is done at the broker
query      questions that change nothing
drill      the alarm path tried, and what that has shown
engine     the engine itself, arming, and what waits for a second word
report     a day or a week in one answer
curve      what an account was worth, and where its limits are
reading    values out of calls, and replies of events

In: granted calls. Out: replies. Never: changes anything but by an event that the kernel takes.
"""
