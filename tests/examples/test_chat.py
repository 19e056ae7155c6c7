"""A desk run from chat: the real engine, the genuine bots, both platforms simulated; the transcript tells the story."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def transcript() -> tuple[str, str]:
    """What was said in Telegram and in Discord."""
    command = [sys.executable, str(ROOT / "examples/chat/play.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    telegram, _, discord = done.stdout.partition("\nDiscord\n")
    return telegram, discord


STORY = (
    "status", "20,000.00 USD|All is within limits", "is broken", "Why?", "account.day.loss >= 500 = yes",
    "Acknowledged", "Please confirm", "became ACTIVE", "became REDUCING", "Flatten account", "Confirm",
    "no position, no working order",
)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("platform", [0, 1], ids=["telegram", "discord"])
def test_the_story_is_told_in_this_order(transcript: tuple[str, str], platform: int) -> None:
    said, place = transcript[platform], 0
    for step in STORY:
        found = [said.find(word, place) for word in step.split("|")]
        assert max(found) >= 0, f"{step!r} is not said after\n{said[:place][-800:]}\n...\n{said[place:][:3000]}"
        place = min(at for at in found if at >= 0)


@pytest.mark.long
def test_the_message_of_an_incident_is_brought_up_to_date(transcript: tuple[str, str]) -> None:
    for said in transcript:
        for word in ("edits message", "Acknowledged by anna.", "is fine again"):
            assert word in said


@pytest.mark.long
def test_an_operator_of_one_platform_hears_of_both_accounts(transcript: tuple[str, str]) -> None:
    for said in transcript:
        assert "eval: “Stop for the day at 500” is broken" in said.replace("\\", "")
        assert "swing: “Stop for the day at 500” is broken" in said.replace("\\", "")
