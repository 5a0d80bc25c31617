import itertools

import pytest

import pictures
from server import Server

numbers = itertools.count()


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_machine():
    """Whoever runs the suite may have AWS settings of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_REKOGNITION", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server for all tests that leave it running."""
    server = Server(tmp_path_factory.mktemp("shared-server") / "data").start()
    yield server
    assert server.running(), f"the server ended with {server.process.returncode}:\n{server.log_tail()}"
    server.stop()


@pytest.fixture(scope="session")
def client(server):
    return server.client()


@pytest.fixture
def own_server(tmp_path):
    """A server that the test may stop, kill and start again."""
    server = Server(tmp_path / "data").start()
    yield server
    if server.running():
        server.stop()


@pytest.fixture(scope="session")
def face_pictures():
    """Two pictures with a face each."""
    return pictures.lfw_pictures(2)


@pytest.fixture(scope="module")
def module_collection(client):
    yield from new_collection(client)


@pytest.fixture
def collection(client):
    yield from new_collection(client)


def new_collection(client):
    name = f"test-{next(numbers)}"
    client.create_collection(CollectionId=name)
    yield name
    client.delete_collection(CollectionId=name)
