"""What a user of the package writes. It is run against the installed package, without any path of the source."""

import os
import time
from pathlib import Path

import boto3
import pytest

import pytest_recollect

pictures = Path(os.environ["PICTURES"])  # of LFW


def picture(person, number):
    return {"Bytes": (pictures / person / f"{person}_{number:04}.jpg").read_bytes()}


def index(client, collection, person, number):
    answer = client.index_faces(CollectionId=collection, Image=picture(person, number), ExternalImageId=person, MaxFaces=1)
    return answer["FaceRecords"][0]["Face"]["FaceId"]


def test_search(recollect):
    client = boto3.client("rekognition")
    client.create_collection(CollectionId="people")
    index(client, "people", "Aaron_Peirsol", 1)
    found = client.search_faces_by_image(CollectionId="people", Image=picture("Aaron_Peirsol", 2))
    assert [match["Face"]["ExternalImageId"] for match in found["FaceMatches"]] == ["Aaron_Peirsol"]


def test_the_server_is_shared(recollect):
    assert boto3.client("rekognition").list_collections()["CollectionIds"] == ["people"]


def test_a_server_of_its_own(recollect_fresh_server, recollect_server):
    assert recollect_fresh_server.url != recollect_server.url
    client = boto3.client("rekognition", **recollect_fresh_server.client_arguments())
    assert client.list_collections()["CollectionIds"] == []


def test_ids_repeat():
    ids = []
    for seed in (7, 7, 8):
        with pytest_recollect.Server(seed=seed) as server:
            client = boto3.client("rekognition", **server.client_arguments())
            client.create_collection(CollectionId="people")
            ids.append([index(client, "people", "Aaron_Peirsol", number) for number in (1, 2)])
    assert ids[0] == ids[1] and ids[0] != ids[2]


def test_nothing_is_left():
    before = time.monotonic()
    server = pytest_recollect.Server()
    print(f"ready after {time.monotonic() - before:.2f} s")
    folder, process = server.data, server._process
    assert folder.exists()
    server.stop()
    server.stop()
    assert not folder.exists() and process.returncode == 0


def test_a_server_that_does_not_start():
    with pytest.raises(pytest_recollect.StartError, match="unknown flag: --nonsense"):
        pytest_recollect.Server("--nonsense")
