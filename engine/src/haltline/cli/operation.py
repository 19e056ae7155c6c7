"""The commands that the running engine answers, as the help lists them: known without loading anything of it."""

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "See": {
        "status": ("Every account at a glance: mode, money, what is wrong.", "status"),
        "accounts": ("The accounts, their modes and their money.", "accounts"),
        "positions": ("What is held.", "positions eval"),
        "orders": ("The orders that work.", "orders eval"),
        "pnl": ("Profit and loss of a day, session or week.", "pnl week"),
        "rules": ("The rules in force.", "rules"),
        "rule": ("What one rule says, and how full it is everywhere.", "rule daily-loss"),
        "why": ("Why a rule says what it says of something, with every value.", "why daily-loss eval"),
        "whynot": ("Why a rule does not fire, and how far it is from it.", "whynot daily-loss eval"),
        "room": ("How much is left to every limit, fullest first.", "room eval"),
        "equity": ("What an account was worth, where its limits are, what fired.", "equity eval 8h"),
        "ask": ("What an expression of the rule language says now.", "ask eval account.day.loss / account.equity"),
        "whatif": (
            "May this order be sent, and how much would pass.",
            "whatif eval buy 2 MNQ",
        ),
        "differences": ("Where a broker shows something else than we have.", "differences"),
        "report": ("A day or a week: money, what fired, what was done, who commanded.", "report week"),
    },
    "Incidents": {
        "incidents": ("What is wrong now.", "incidents"),
        "history": ("Incidents of the past, newest first.", "history 10"),
        "ack": ("Say that you have seen an incident: reminders stop.", "ack daily-loss/eval/1"),
        "unack": ("Take an acknowledgement back.", "unack daily-loss/eval/1"),
        "silence": (
            "No messages about a rule for a while; it goes on being enforced.",
            "silence daily-loss 1h account=eval",
        ),
        "unsilence": ("End a silence before its time.", "unsilence s1"),
    },
    "Restrain": {
        "lock": ("Stop new risk: entries are refused, what is opened is closed.", "lock eval 1h because of the news"),
        "unlock": ("Lift a lock before its time.", "unlock operator@eval it was a mistake"),
        "pause": ("Stop entries of an account; nothing is closed.", "pause eval 30m lunch"),
        "resume": ("End a pause.", "resume eval"),
        "override": (
            "Give a rule more room for something, or exempt it, for a while.",
            "override daily-loss eval 30m extra=150 the news is out",
        ),
        "revoke": ("Take an override back.", "revoke g1"),
    },
    "Act": {
        "flatten": ("Cancel every order and close every position of an account.", "flatten eval lock=1h"),
        "close": ("Close one position and cancel the orders of its symbol.", "close eval MNQ"),
        "cancel": ("Cancel working orders; protective ones stay.", "cancel eval"),
    },
    "Engine": {
        "health": ("What is up, what is not, and what waits.", "health"),
        "reload": ("Read the rule files again, all or nothing.", "reload new limits"),
        "arm": ("Let rules act on an account.", "arm eval accept=all the check list is done"),
        "disarm": ("Rules only decide, record and tell on an account.", "disarm eval maintenance"),
        "pending": ("What would guard less, and waits before it may.", "pending"),
        "approve": ("Agree to what waits, as the second operator.", "approve p1 agreed"),
        "withdraw": ("Give up what waits.", "withdraw p1 not needed"),
        "drill": ("Send a made-up breach through the real alarm path.", "drill eval wait=1m"),
        "readiness": ("How ready the alarm path is, as drills have shown it.", "readiness"),
        "ping": ("Send a test message through the channels; say what became of it.", "ping phone"),
        "consent": ("Let an enforcement go beyond its caps, once.", "consent daily-loss/eval/1 it is right"),
    },
    "Help": {
        "whoami": ("Who you are here, and what you may do.", "whoami"),
        "help": ("The commands you may use, or one of them.", "help lock"),
        "confirm": ("Confirm what waits, by its nonce; as the second operator too.", "confirm 3f9a"),
        "decline": ("Leave what waits undone, by its nonce.", "decline 3f9a"),
    },
}
"""Section of the help, then command, what it does, an example; a test holds them equal to those of the service."""
