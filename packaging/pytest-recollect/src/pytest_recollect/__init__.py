"""A Recollect server for tests, and the pytest fixtures that start one.

Without pytest::

    from pytest_recollect import Server

    with Server() as server:
        client = boto3.client("rekognition", **server.client_arguments())
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

__all__ = ["Server", "StartError", "program"]

REGION = "us-east-1"
READY_WITHIN = 60  # seconds
END_WITHIN = 60  # longer than requests in flight may take

_bundled = Path(__file__).parent / "bundled"


class StartError(Exception):
    """The server did not start. The message has what it wrote."""


def program() -> str:
    """The program to start: that of RECOLLECT_PROGRAM, else the one in this package, else that of PATH."""
    named = os.environ.get("RECOLLECT_PROGRAM")
    if named:
        return named
    bundled = _bundled / "bin" / "recollect"
    if bundled.exists():
        return str(bundled)
    found = shutil.which("recollect")
    if not found:
        raise StartError("no program recollect: name it in RECOLLECT_PROGRAM, or install a wheel that has it")
    return found


class Server:
    """A server on a free port of this machine, with a fresh data folder that is deleted with it.

    flags are further flags of ``recollect serve``. With a seed the ids of faces are those of every other
    server with this seed to which the same requests are sent, one after the other.
    """

    def __init__(self, *flags: str, seed: int | None = None):
        self._folder = tempfile.mkdtemp(prefix="recollect-")
        self.data = Path(self._folder) / "data"
        self.region = REGION
        command = [program(), "serve", "--listen", "127.0.0.1:0", "--data", str(self.data), "--region", REGION,
                   "--lazy-models", *flags]
        library = os.environ.get("RECOLLECT_LIBRARY")
        if library:
            command += ["--library", library]
        if seed is not None:
            command += ["--seed", str(seed)]
        # The settings of a server of the developer's own are none of this one's.
        env = {name: value for name, value in os.environ.items() if not name.startswith("RECOLLECT_")}
        self._log: list[str] = []
        self._ready = threading.Event()
        self.url = ""
        try:
            self._process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                             stderr=subprocess.PIPE, text=True, errors="replace")
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise StartError(f"{command[0]} cannot be started: {error}") from error
        self._readers = [threading.Thread(target=self._read_address, daemon=True),
                         threading.Thread(target=self._read_log, daemon=True)]
        for reader in self._readers:
            reader.start()
        try:
            self._wait()
            self.access_key_id, self.secret_access_key = self._key()
        except BaseException:
            self.stop()
            raise

    def _read_address(self) -> None:
        for line in self._process.stdout:
            found = re.search(r"is ready on (https?://\S+)", line)
            if found:
                self.url = found.group(1)
                self._ready.set()
        self._ready.set()  # it has ended

    def _read_log(self) -> None:
        for line in self._process.stderr:
            self._log.append(line)
            del self._log[:-200]

    def _wait(self) -> None:
        late = not self._ready.wait(READY_WITHIN)
        if not self.url:
            if not late:
                self._readers[1].join(END_WITHIN)
            why = f"is not ready within {READY_WITHIN} s" if late else "has ended"
            raise StartError(f"the server {why}:\n{self.log}")

    def _key(self) -> tuple[str, str]:
        credentials = configparser.ConfigParser(interpolation=None)
        credentials.read(self.data / "credentials")
        return credentials["default"]["aws_access_key_id"], credentials["default"]["aws_secret_access_key"]

    @property
    def log(self) -> str:
        """The end of what the server wrote."""
        return "".join(self._log)

    def environment(self) -> dict[str, str]:
        """The environment variables that lead AWS SDKs to the server, with its root key."""
        return {
            "AWS_ENDPOINT_URL_REKOGNITION": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client_arguments(self) -> dict[str, str]:
        """Arguments of boto3.client, beside the name of the service."""
        return {"endpoint_url": self.url, "region_name": self.region, "aws_access_key_id": self.access_key_id,
                "aws_secret_access_key": self.secret_access_key}

    def stop(self) -> None:
        """Ends the server and deletes its data. A later call does nothing."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for reader in self._readers:
            reader.join(END_WITHIN)
        self._process.stdout.close()
        self._process.stderr.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
