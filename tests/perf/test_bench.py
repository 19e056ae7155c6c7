"""The benchmark itself works; what it measures is not asserted here, because machines differ."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
def test_the_benchmark_prints_one_json_object_with_every_promise() -> None:
    bench = Path(__file__).with_name("bench.py")
    done = subprocess.run([sys.executable, str(bench), "--quick"], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert set(report) >= {"one_rule", "full_evaluation", "one_quote", "sustained_replay", "scaling", "start_up"}
    assert report["start_up"]["help"]["exit_code"] == 0
    assert report["start_up"]["check_starter_pack"]["exit_code"] == 0
