"""The command line: one module per command, named like it.

main        the program: the table of commands, completion, `--version`
group       loads a command's module only when it is called, and catches what must not become a stack trace
option      options that several commands share
coercion    words become values, without Pydantic
completion  what the shell offers at Tab
output      where words go: JSON on stdout, rich, or plain
printer     the same from a thread, where a reader that does not read must hold up nothing
progress    a bar for what takes long
problem     problems for people, GitHub and JUnit
gauge       bars and colours of limits: green below 50 %, yellow to 80 %, red above
plot        a small chart made of characters
panel       pieces that moving pictures share
tree        why a rule says what it says, drawn as a tree
recordline  one journal record as a line
failure     what a person is told when a command raises
journalcare  size, compact, backup, restore, migrate and repair of the journal
workspace   which files a command works on: plugins, set-up, rules
recording   what `replay` is told, as a set-up on paper
replayreport, liveview    what `replay` and `run` show
arming, diffway    what arming covers; which way an edit goes, for `diff`
blueprint   the files that `init` writes, and the rule that `replay` falls back on
init check test replay run explain fields schema plugins journal sim    the commands
operate     what operators ask of the running engine: `operation` the list, `consoleclient` the other end of the
            local channel, `replyview` replies on a terminal
demo        the demonstration: history, market, trader, stage, screen

In: words typed by people. Out: text or JSON, and exit codes (0 fine, 1 problems, 2 usage, 130 interrupted).
Never: decide anything about risk, or show a stack trace for a user's mistake.
"""
