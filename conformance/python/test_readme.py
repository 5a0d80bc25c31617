"""The commands of README.md, as they stand there, typed by somebody who has just started the server."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from pictures import lfw, lfw_pairs
from server import PROGRAM, READY_WITHIN, ROOT, STOPPED_WITHIN, free_port

CLIENT_JS = ROOT / "conformance" / "clients" / "js" / "node_modules"


def section(heading: str) -> str:
    """The text under a heading, up to the next one of the same rank or higher."""
    text = (ROOT / "README.md").read_text()
    rank = heading.split()[0]
    match = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(rank)}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"README.md has no heading {heading!r}"
    return match[1]


def commands(text: str) -> str:
    """The lines that are indented as commands."""
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    assert lines
    return "\n".join(lines)


def fenced(text: str, language: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


class Desk:
    """A folder with the program, two pictures and a server that was started in it without any setting but its port."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "bin").symlink_to(ROOT / "bin")
        (folder / "node_modules").symlink_to(CLIENT_JS)
        person, one, another = lfw_pairs()[0][0]
        (folder / "anna.jpg").write_bytes(lfw(person, one))
        (folder / "street.jpg").write_bytes(lfw(person, another))
        self.address = f"127.0.0.1:{free_port()}"
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RECOLLECT_"))}
        self.environment = settings | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "AWS_EC2_METADATA_DISABLED": "true"}
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", self.address], cwd=folder, env=self.environment, stdout=self.log, stderr=self.log
        )
        deadline = time.monotonic() + READY_WITHIN
        while not self.ready():
            assert self.process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text(errors="replace")
            time.sleep(0.05)

    def ready(self) -> bool:
        try:
            return urllib.request.urlopen(f"http://{self.address}/health/ready", timeout=5).status == 200
        except OSError:
            return False

    def run(self, script: str) -> subprocess.CompletedProcess:
        """Runs a script of the README; the server's address is the only thing that is another."""
        script = script.replace("127.0.0.1:7180", self.address)
        return subprocess.run(["bash", "-euc", script], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOPPED_WITHIN) == 0
        self.log.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("desk"))
    yield desk
    desk.stop()


def test_first_use(desk):
    first_use = section("## First use")
    settings, _, _ = first_use.partition("**AWS CLI**")
    cli, _, rest = first_use.partition("**AWS CLI**")[2].partition("**Python**")
    ran = desk.run(commands(settings) + "\n" + commands(cli) + "\naws rekognition delete-collection --collection-id people")
    assert ran.returncode == 0, ran.stderr
    assert '"ExternalImageId": "anna"' in ran.stdout and '"Similarity"' in ran.stdout and '"people"' in ran.stdout

    (desk.folder / "example.py").write_text(fenced(rest, "python"))
    ran = desk.run(commands(settings) + "\npython example.py; aws rekognition delete-collection --collection-id people")
    assert ran.returncode == 0, ran.stderr
    assert re.match(r"anna \d+\.\d+\n\{.*'CollectionIds': \['people'\]", ran.stdout), ran.stdout

    (desk.folder / "example.mjs").write_text(fenced(rest, "js"))
    ran = desk.run(commands(settings) + "\nnode example.mjs; aws rekognition delete-collection --collection-id people")
    assert ran.returncode == 0, ran.stderr
    assert "CollectionIds: [ 'people' ]" in ran.stdout, ran.stdout


def test_a_read_only_key_for_a_colleague(desk):
    documented = commands(section("### Keys for others"))
    assert len(documented.splitlines()) == 3
    ran = desk.run(documented + "\naws rekognition create-collection --collection-id mine")
    assert '"CollectionIds": []' in ran.stdout, ran.stderr
    assert ran.returncode == 254 or ran.returncode == 255, ran.stderr
    assert (
        "An error occurred (AccessDeniedException) when calling the CreateCollection operation: "
        "User: arn:aws:iam::123456789012:user/anna is not authorized to perform: rekognition:CreateCollection "
        "because no identity-based policy allows the rekognition:CreateCollection action"
    ) in ran.stderr
    assert (desk.folder / "anna.credentials").stat().st_mode & 0o077 == 0


def test_a_role(desk):
    trust, _, documented = section("### Roles and temporary credentials").partition("```\n\n")
    (desk.folder / "trust.json").write_text(trust.partition("```json\n")[2])
    documented = documented.partition("```json")[0]
    ran = desk.run(
        "bin/recollect keys create anna --out role.credentials\n"
        "export AWS_SHARED_CREDENTIALS_FILE=$PWD/role.credentials AWS_DEFAULT_REGION=us-east-1\n" + commands(documented)
    )
    assert ran.returncode == 0, ran.stderr
    assert "arn:aws:sts::123456789012:assumed-role/lobby/door" in ran.stdout and '"SessionToken"' in ran.stdout


def test_health(desk):
    running_it = section("### Running it")
    for path in ("/health/live", "/health/ready"):
        assert f"`GET {path}`" in running_it
        assert urllib.request.urlopen(f"http://{desk.address}{path}").status == 200
