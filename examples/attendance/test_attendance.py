"""The desk, started as its page says, against a server of the package pytest-recollect."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pictures = Path(os.environ["PICTURES"])  # of LFW


@pytest.fixture
def desk(recollect, tmp_path):
    """A running desk. Returns a function that asks it."""
    process = subprocess.Popen([sys.executable, str(Path(__file__).parent / "attendance.py"), str(tmp_path / "attendance.csv")],
                               env={**os.environ, "PORT": "0"}, stdout=subprocess.PIPE, text=True)
    url = re.search(r"http://\S+", process.stdout.readline()).group()

    def ask(path, person=None, number=0):
        data = (pictures / person / f"{person}_{number:04}.jpg").read_bytes() if person else None
        try:
            with urllib.request.urlopen(urllib.request.Request(url + path, data)) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            return json.load(error) if error.code == 422 else error.code

    yield ask
    process.terminate()
    process.wait()
    process.stdout.close()


def test_attendance(desk):
    assert desk("/attendance") == []
    assert desk("/check-in", "Aaron_Peirsol", 2) == {"name": None}
    assert desk("/enrol/Aaron", "Aaron_Peirsol", 1) == {"enrolled": "Aaron"}
    assert desk("/enrol/Abdullah", "Abdullah", 1) == {"enrolled": "Abdullah"}
    assert desk("/enrol/Aaron", "Aaron_Peirsol", 3) == {"enrolled": "Aaron"}
    # Somebody else's picture makes nobody's face another's.
    assert desk("/enrol/Aaron", "Abdullah", 2) == {"refused": "this is not Aaron"}
    for _ in range(2):
        checked = desk("/check-in", "Aaron_Peirsol", 2)
        assert checked["name"] == "Aaron" and checked["similarity"] >= 99
    assert desk("/check-in", "Adam_Sandler", 1) == {"name": None}
    assert [entry["name"] for entry in desk("/attendance")] == ["Aaron"]
    assert desk("/enrol/a%20b", "Abdullah", 1) == {"refused": "a name has letters, digits, and _ . - :"}
    assert desk("/check-out", "Abdullah", 1) == 404
