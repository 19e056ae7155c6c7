"""The command line: one module per command, named like it.

main        the program: the table of commands, completion, `--version`
group       loads a command's module only when it is called, and catches what must not become a stack trace
option      options that several commands share
output      where words go: JSON on stdout, rich, or plain
problem     problems for people, GitHub and JUnit
gauge       bars and colours of limits: green below 50 %, yellow to 80 %, red above
plot        a small chart made of characters
setupfile   which files a command works on
init check test replay run explain fields schema plugins journal    the commands
demo        the demonstration: data, market, trader, stage, screens

In: words typed by people. Out: text or JSON, and exit codes (0 fine, 1 problems, 2 usage, 130 interrupted).
Never: decide anything about risk, or show a stack trace for a user's mistake.
"""
