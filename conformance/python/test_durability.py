"""Killed, stopped, started again: nothing acknowledged is lost, and nothing is invented."""

import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

import pictures
from server import command, environment, free_port

IN_FLIGHT = 200
COLLECTION = "durable"
GONE = (ConnectionClosedError, EndpointConnectionError, ReadTimeoutError)  # what a client sees of a server that ends


def client_of(server):
    return server.client(retries={"total_max_attempts": 1}, max_pool_connections=IN_FLIGHT, connect_timeout=60, read_timeout=120)


class Round:
    """Concurrent IndexFaces calls. Every call has an external id of its own."""

    def __init__(self, server, number: int, images: list[bytes]):
        self.client = client_of(server)
        self.images = {f"round{number}-{i}": image for i, image in enumerate(images)}
        self.acknowledged: dict[str, list[str]] = {}  # face ids by external id
        self.failures: list[Exception] = []
        self._together = threading.Barrier(len(images))
        self._change = threading.Condition()
        self._pool = ThreadPoolExecutor(len(images))
        self._calls = [self._pool.submit(self._index, external) for external in self.images]

    def _index(self, external: str) -> None:
        self._together.wait()
        try:
            records = self.client.index_faces(
                CollectionId=COLLECTION, Image={"Bytes": self.images[external]}, ExternalImageId=external, QualityFilter="NONE"
            )["FaceRecords"]
        except (*GONE, ClientError) as e:
            with self._change:
                self.failures.append(e)
        else:
            with self._change:
                self.acknowledged[external] = [r["Face"]["FaceId"] for r in records]
                self._change.notify_all()

    def wait_for(self, count: int) -> None:
        with self._change:
            assert self._change.wait_for(lambda: len(self.acknowledged) >= count or self.failures, timeout=120)
            assert not self.failures, self.failures[0]

    def end(self) -> None:
        for c in self._calls:
            c.result()
        self._pool.shutdown()
        assert len(self.acknowledged) + len(self.failures) == len(self.images)


def stored_faces(client) -> dict[str, set[str]]:
    """Face ids by external id, as listed."""
    stored, count = {}, 0
    for page in client.get_paginator("list_faces").paginate(CollectionId=COLLECTION, PaginationConfig={"PageSize": 50}):
        for face in page["Faces"]:
            stored.setdefault(face["ExternalImageId"], set()).add(face["FaceId"])
            count += 1
    assert client.describe_collection(CollectionId=COLLECTION)["FaceCount"] == count == sum(map(len, stored.values()))
    return stored


def similar_to_largest(client, image: bytes) -> dict[str, float]:
    """How similar the faces are that resemble the image's largest one, by face id."""
    matches = client.search_faces_by_image(CollectionId=COLLECTION, Image={"Bytes": image})["FaceMatches"]
    return {m["Face"]["FaceId"]: m["Similarity"] for m in matches}


def test_killed_while_indexing(own_server):
    """SIGKILL at three moments, each time on what the last one left."""
    images = pictures.lfw_pictures(3 * IN_FLIGHT)
    client_of(own_server).create_collection(CollectionId=COLLECTION)
    sent, acknowledged = {}, {}
    for number, moment in enumerate((1, 40, 120)):
        calls = Round(own_server, number, images[number * IN_FLIGHT : (number + 1) * IN_FLIGHT])
        sent |= calls.images
        calls.wait_for(moment)
        own_server.kill()
        calls.end()
        assert moment <= len(calls.acknowledged) < IN_FLIGHT and all(isinstance(e, GONE) for e in calls.failures)
        acknowledged |= calls.acknowledged

        client = client_of(own_server.start())
        stored = stored_faces(client)
        for external, face_ids in acknowledged.items():
            assert stored.get(external, set()) == set(face_ids)
        for external, face_ids in calls.acknowledged.items():
            assert not face_ids or similar_to_largest(client, sent[external]).get(face_ids[0]) == 100.0
            for face_id in face_ids:
                assert client.search_faces(CollectionId=COLLECTION, FaceId=face_id)["SearchedFaceId"] == face_id
        # What was not acknowledged is there whole or not at all, and only if it was asked for.
        unacknowledged = stored.keys() - acknowledged.keys()
        assert unacknowledged <= sent.keys()
        for external in unacknowledged:
            assert len(stored[external]) == len(client.detect_faces(Image={"Bytes": sent[external]})["FaceDetails"])
            similar = similar_to_largest(client, sent[external])
            assert 100.0 in [similar.get(face_id) for face_id in stored[external]]
        print(f"killed after {len(calls.acknowledged)} answers: {len(stored)} pictures stored, {len(unacknowledged)} of them not acknowledged")


def test_stopped_while_indexing(own_server):
    """SIGTERM finishes what is in flight, keeps it, and ends well."""
    client_of(own_server).create_collection(CollectionId=COLLECTION)
    calls = Round(own_server, 0, pictures.lfw_pictures(IN_FLIGHT))
    calls.wait_for(20)
    own_server.stop()
    calls.end()
    stored = stored_faces(client_of(own_server.start()))
    assert stored == {external: set(ids) for external, ids in calls.acknowledged.items() if ids}
    # All were in flight at the signal but those that had not yet been read from their sockets.
    assert len(calls.acknowledged) > IN_FLIGHT / 2


def test_deletions_are_kept(own_server, face_pictures):
    client = client_of(own_server)
    for name in (COLLECTION, "deleted"):
        client.create_collection(CollectionId=name)
    face_ids = [
        r["Face"]["FaceId"] for p in face_pictures
        for r in client.index_faces(CollectionId=COLLECTION, Image={"Bytes": p}, ExternalImageId="x", QualityFilter="NONE")["FaceRecords"]
    ]  # fmt: skip
    client.delete_faces(CollectionId=COLLECTION, FaceIds=face_ids[:1])
    client.delete_collection(CollectionId="deleted")
    own_server.kill()
    client = client_of(own_server.start())
    assert client.list_collections()["CollectionIds"] == [COLLECTION]
    assert stored_faces(client) == {"x": set(face_ids[1:])}


def test_tokens_outlive_a_restart(own_server, server):
    """A token belongs to the data: the server that is started again knows it, another server does not."""
    client = own_server.client()
    for name in "abc":
        client.create_collection(CollectionId=name)
    token = client.list_collections(MaxResults=1)["NextToken"]
    own_server.stop()
    client = own_server.start().client()
    assert client.list_collections(NextToken=token)["CollectionIds"] == ["b", "c"]
    stranger = server.client()
    with pytest.raises(stranger.exceptions.InvalidPaginationTokenException):
        stranger.list_collections(NextToken=token)


def test_second_server_on_the_same_data(own_server):
    second = subprocess.run(command(free_port(), own_server.data), env=environment(), capture_output=True, text=True, timeout=30)
    assert second.returncode not in (0, -signal.SIGSEGV)
    message = second.stderr.strip().splitlines()[-1]
    assert str(own_server.data) in message and "panic" not in second.stderr
    print("refused with:", message)
    assert own_server.client().list_collections()["CollectionIds"] == []


def test_ends_at_once_when_idle(own_server):
    own_server.client().list_collections()  # leaves a connection open
    begin = time.monotonic()
    own_server.stop()
    assert time.monotonic() - begin < 10
