"""What every broker must do, as numbered cases that run against the genuine client and its venue.

world    what a plugin's author implements: a venue that a test holds in its hand
bench    one client at work: started as the engine starts it, everything it says is kept
case     a numbered case, what it needs, and which of them a broker has promised
truth    BRK-0xx snapshots · push BRK-02x events · order BRK-04x orders · reduce BRK-05x never more than before
failure  BRK-06x refusals and doubts · stream BRK-08x losses and hostile messages · ending BRK-10x closing, secrets
record   what a run has shown, as a file that the docs read · page the matrix of all brokers
__main__ runs the cases of a world and writes that file

In: a world. Out: an assertion that fails, or nothing. Never: a look inside the client, or a case that no flag promises.
"""
