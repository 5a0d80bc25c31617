"""The fixtures."""

from __future__ import annotations

import pytest

from . import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("recollect")
    parser.addini("recollect_flags", "further flags of `recollect serve` for the fixtures", type="args", default=[])
    group.addoption("--recollect-seed", type=int, default=None,
                    help="number that makes the ids of faces repeat from run to run")


@pytest.fixture(scope="session")
def recollect_server(request: pytest.FixtureRequest):
    """One server for all tests of the run, which share its collections."""
    with Server(*request.config.getini("recollect_flags"), seed=request.config.getoption("--recollect-seed")) as server:
        yield server


@pytest.fixture
def recollect_fresh_server(request: pytest.FixtureRequest):
    """A server for one test, without collections."""
    with Server(*request.config.getini("recollect_flags"), seed=request.config.getoption("--recollect-seed")) as server:
        yield server


@pytest.fixture
def recollect(recollect_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server of the run, with the environment of boto3 and other AWS SDKs set to it for one test."""
    for name, value in recollect_server.environment().items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return recollect_server
