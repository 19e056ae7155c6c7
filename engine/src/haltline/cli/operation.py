"""The commands that the running engine answers, as the help lists them: known without loading anything of it."""

SECTIONS: dict[str, dict[str, str]] = {
    "See": {
        "status": "Every account at a glance: mode, money, what is wrong.",
        "accounts": "The accounts, their modes and their money.",
        "positions": "What is held.",
        "orders": "The orders that work.",
        "pnl": "Profit and loss of a day, session or week.",
        "rules": "The rules in force.",
        "rule": "What one rule says, and how full it is everywhere.",
        "why": "Why a rule says what it says of something, with every value.",
        "whynot": "Why a rule does not fire, and how far it is from it.",
        "room": "How much is left to every limit, fullest first.",
        "ask": "What an expression of the rule language says now.",
        "whatif": "May this order be sent, what would speak against it, how much would pass.",
        "report": "A day or a week: money, what fired, what was done, who commanded.",
    },
    "Incidents": {
        "incidents": "What is wrong now.",
        "history": "Incidents of the past, newest first.",
        "ack": "Say that you have seen an incident: reminders stop.",
        "unack": "Take an acknowledgement back.",
        "silence": "No messages about a rule for a while; it goes on being enforced.",
        "unsilence": "End a silence before its time.",
    },
    "Restrain": {
        "lock": "Stop new risk: entries are refused, what is opened is closed.",
        "unlock": "Lift a lock before its time.",
        "pause": "Stop entries of an account; nothing is closed.",
        "resume": "End a pause.",
        "override": "Give a rule more room for something, or exempt it, for a while.",
        "revoke": "Take an override back.",
    },
    "Act": {
        "flatten": "Cancel every order and close every position of an account.",
        "close": "Close one position.",
        "cancel": "Cancel working orders; protective ones stay.",
    },
    "Engine": {
        "health": "What is up, what is not, and what waits.",
        "reload": "Read the rule files again, all or nothing.",
        "arm": "Let rules act on an account.",
        "disarm": "Rules only decide, record and tell on an account.",
        "pending": "What would guard less, and waits for its time or a second operator.",
        "approve": "Agree to what waits, as the second operator.",
        "withdraw": "Give up what waits.",
        "consent": "Let an enforcement go beyond its caps, once.",
    },
    "Help": {
        "whoami": "Who you are here, and what you may do.",
        "help": "The commands you may use, or one of them.",
        "confirm": "Confirm what waits, by its nonce; as the second operator too.",
        "decline": "Leave what waits undone, by its nonce.",
    },
}
"""Section of the help, then command and what it does; a test holds them equal to those of the control service."""
