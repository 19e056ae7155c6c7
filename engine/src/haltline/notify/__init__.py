"""Messages for people: who hears what and when, in plain sentences, kept until a channel has confirmed them.

Deciding, pure, time is an argument: `notice` what a result gives people to hear, with labels from `directory` ·
`render` in sentences · `route` the tree, grouping and hours · `inhibit`, `silence` what stays unsaid · `group` what
goes on · `card` the message of a group · `crowd` what is not known in hundreds · `desk` puts it together: what to say
now, and when to look again · `forecast` what would be told · `drillreport` what a drill has shown.
Delivering: `outbox` durable, one `lane` per channel, with `budget` · `harmless` what others wrote · `split` long
texts · `handle` messages that are changed · `table` where it is kept · `trial` one real message.

In: results, receipts, what operators say. Out: messages on channels. Never: delays enforcement, makes tasks of its own
beyond a timer, loses a message that is not of the lowest severity, lets what is critical wait unless told to.
"""
