"""A real server, started from the built program on a free loopback port."""

import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "bin" / "recollect"

REGION = "us-east-1"
ACCOUNT = "123456789012"
ACCESS_KEY_ID = "AKIACONFORMANCETESTS"
SECRET_ACCESS_KEY = "conformance/tests+only/not-a-secret-0123"

READY_WITHIN = 60  # seconds
STOPPED_WITHIN = 30  # seconds, which the server promises


class Server:
    """The program on a data folder. It can be stopped and started again on the same data."""

    def __init__(self, data: Path, *options: str):
        self.data = data
        self.options = options
        self.environment = environment()
        self.log = data.with_name(data.name + ".log")
        self.process: subprocess.Popen | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Server":
        assert PROGRAM.exists(), f"{PROGRAM} is missing: run make build"
        self.port = free_port()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.data.parent, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_WITHIN
        while not self.ready():
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log_tail()}"
            assert time.monotonic() < deadline, f"not ready within {READY_WITHIN} s:\n{self.log_tail()}"
            time.sleep(0.05)
        return self

    def command(self) -> list[str]:
        return command(self.port, self.data) + list(self.options)

    def create_key(self, user: str, *options: str) -> tuple[str, str]:
        """Makes a key while the server runs, as an operator does. Returns its id and its secret."""
        out = subprocess.run(
            [str(PROGRAM), "keys", "create", user, "--data", str(self.data), *options], capture_output=True, text=True, check=True
        ).stdout
        settings = dict(line.split(" = ", 1) for line in out.splitlines() if " = " in line)
        return settings["aws_access_key_id"], settings["aws_secret_access_key"]

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """Ends the server as an operator does, and sees to it that it ends well and in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not stopped within {STOPPED_WITHIN} s:\n{self.log_tail()}") from None
        assert status == 0, f"the server ended with {status}:\n{self.log_tail()}"

    def kill(self) -> None:
        """Ends the server as a power failure does, as far as its own memory goes."""
        self.process.kill()
        self.process.wait()

    def running(self) -> bool:
        return self.process.poll() is None

    def resident_mib(self) -> float:
        """Physical memory of the process now, in MiB."""
        out = subprocess.run(["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, text=True, check=True)
        return int(out.stdout) / 1024

    def resident_peak(self) -> int:
        """The most physical memory that the process has ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            pytest.skip("the system does not say what a process had at most")
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) << 10

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def client(self, access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET_ACCESS_KEY, region=REGION, session_token=None, **config):
        """A boto3 client, set up as anybody would: by endpoint, region and keys."""
        return boto3.client(
            "rekognition",
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            aws_session_token=session_token,
            config=Config(**config) if config else None,
        )


def command(port: int, data: Path) -> list[str]:
    return [
        str(PROGRAM), "serve", "--listen", f"127.0.0.1:{port}", "--data", str(data),
        "--region", REGION, "--account", ACCOUNT,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    return os.environ | {
        "RECOLLECT_ROOT_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "RECOLLECT_ROOT_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    }


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
