"""Collections: create, list in pages, describe, delete."""

import datetime
import itertools
import threading
import time

import boto3
import pytest

from server import ACCESS_KEY_ID, ACCOUNT, REGION, SECRET_ACCESS_KEY
from wire import call


@pytest.fixture(scope="module")
def many(client):
    """Twenty-five collections, in the order in which they are listed."""
    names = sorted(f"page.{i}_{'Ab'[i % 2]}" for i in range(25))
    for name in reversed(names):
        client.create_collection(CollectionId=name)
    yield names
    for name in names:
        client.delete_collection(CollectionId=name)


def pages(client, **parameters):
    """Walks the pages by hand."""
    while True:
        page = client.list_collections(**parameters)
        yield page
        if "NextToken" not in page:
            return
        parameters["NextToken"] = page["NextToken"]


def test_set_up_by_environment(server, monkeypatch):
    """The example of the API's documentation, with nothing but the environment set."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    client = boto3.session.Session().client("rekognition")
    response = client.list_collections()
    assert len(response["CollectionIds"]) == len(response["FaceModelVersions"])
    metadata = response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 200
    assert len(metadata["RequestId"]) == 36
    assert metadata["HTTPHeaders"]["content-type"] == "application/x-amz-json-1.1"


def test_no_collections(own_server):
    response = own_server.client().list_collections()
    assert response["CollectionIds"] == response["FaceModelVersions"] == []
    assert "NextToken" not in response


def test_create_describe_delete(client):
    before = datetime.datetime.now(datetime.timezone.utc)
    created = client.create_collection(CollectionId="a-Z_0.9")
    assert created["StatusCode"] == 200
    assert created["CollectionArn"] == f"aws:rekognition:{REGION}:{ACCOUNT}:collection/a-Z_0.9"

    described = client.describe_collection(CollectionId="a-Z_0.9")
    assert described["CollectionARN"] == "arn:" + created["CollectionArn"]
    assert described["FaceModelVersion"] == created["FaceModelVersion"]
    assert described["FaceCount"] == described["UserCount"] == 0
    assert abs(described["CreationTimestamp"] - before) < datetime.timedelta(seconds=10)

    assert client.delete_collection(CollectionId="a-Z_0.9")["StatusCode"] == 200
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="a-Z_0.9"):
        client.describe_collection(CollectionId="a-Z_0.9")


def test_create_twice(server, client, collection):
    with pytest.raises(client.exceptions.ResourceAlreadyExistsException) as e:
        client.create_collection(CollectionId=collection)
    assert e.value.response["Error"]["Message"] == f"The collection id: {collection} already exists"
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    envelope = call(server, "CreateCollection", {"CollectionId": collection}).json
    assert set(envelope) == {"__type", "Code", "Logref", "Message"}
    assert envelope["__type"] == envelope["Code"] == "ResourceAlreadyExistsException"
    assert len(envelope["Logref"]) == 36


def test_create_after_delete(client):
    for _ in range(3):
        client.create_collection(CollectionId="again")
        assert client.describe_collection(CollectionId="again")["FaceCount"] == 0
        client.delete_collection(CollectionId="again")


def test_ids_are_case_sensitive(client):
    client.create_collection(CollectionId="case")
    client.create_collection(CollectionId="CASE")
    client.delete_collection(CollectionId="case")
    assert client.describe_collection(CollectionId="CASE")["FaceCount"] == 0
    client.delete_collection(CollectionId="CASE")


@pytest.mark.parametrize("operation, more", [
    ("describe_collection", {}),
    ("delete_collection", {}),
    ("list_faces", {}),
    ("delete_faces", {"FaceIds": ["00000000-0000-4000-8000-000000000000"]}),
    ("search_faces", {"FaceId": "00000000-0000-4000-8000-000000000000"}),
])  # fmt: skip
def test_missing_collection(client, operation, more):
    with pytest.raises(client.exceptions.ResourceNotFoundException) as e:
        getattr(client, operation)(CollectionId="no-such-collection", **more)
    assert "no-such-collection" in e.value.response["Error"]["Message"]
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("size", [1, 7, 24, 25, 26, 4096, 0, None])
def test_pages_by_hand(client, many, size):
    ids = []
    for page in pages(client, **({} if size is None else {"MaxResults": size})):
        assert len(page["CollectionIds"]) == len(page["FaceModelVersions"])
        assert all(page["FaceModelVersions"])
        if size:
            assert len(page["CollectionIds"]) <= size
            assert len(page["CollectionIds"]) == size or "NextToken" not in page
        assert len(page.get("NextToken", "")) <= 255
        ids += page["CollectionIds"]
    assert ids == sorted(set(ids))
    assert [i for i in ids if i.startswith("page.")] == many


def test_paginator(client, many):
    paginator = client.get_paginator("list_collections")
    ids = [i for page in paginator.paginate(PaginationConfig={"PageSize": 4}) for i in page["CollectionIds"]]
    assert [i for i in ids if i.startswith("page.")] == many


def test_paginator_resumes(client, many):
    paginator = client.get_paginator("list_collections")
    first = paginator.paginate(PaginationConfig={"PageSize": 5, "MaxItems": 10}).build_full_result()
    rest = paginator.paginate(PaginationConfig={"PageSize": 5, "StartingToken": first["NextToken"]}).build_full_result()
    ids = first["CollectionIds"] + rest["CollectionIds"]
    assert len(first["CollectionIds"]) == 10
    assert [i for i in ids if i.startswith("page.")] == many


def test_longest_ids_in_pages(client):
    names = [c * 255 for c in "-.09AZ_az"] + ["z" * n for n in (150, 173, 174, 175, 176, 177, 191, 192, 254)]
    for name in names:
        client.create_collection(CollectionId=name)
    try:
        ids = [i for page in pages(client, MaxResults=1) for i in page["CollectionIds"]]
        assert [i for i in ids if i in names] == sorted(names)
    finally:
        for name in names:
            client.delete_collection(CollectionId=name)


def altered(token: str):
    """The token with any one character changed, taken away or added, and some that were never tokens."""
    for i, c in enumerate(token):
        yield token[:i] + ("A" if c != "A" else "B") + token[i + 1 :]
    yield token[:-1]
    yield token[1:]
    yield token + "A"
    yield token + "="
    yield from ("x", "MQ==", "page.1_A", "0" * 255, "!" * 255, "é")


def test_forged_tokens(client, many):
    token = client.list_collections(MaxResults=5)["NextToken"]
    assert client.list_collections(NextToken=token)["CollectionIds"]
    for forged in altered(token):
        with pytest.raises(client.exceptions.InvalidPaginationTokenException):
            client.list_collections(NextToken=forged)


def test_tokens_of_other_listings(client, many, collection, face_pictures):
    """A token is good for the listing that gave it, and for no other."""
    for picture in face_pictures:
        client.index_faces(CollectionId=collection, Image={"Bytes": picture}, QualityFilter="NONE")
    faces_token = client.list_faces(CollectionId=collection, MaxResults=1)["NextToken"]
    collections_token = client.list_collections(MaxResults=1)["NextToken"]
    with pytest.raises(client.exceptions.InvalidPaginationTokenException):
        client.list_collections(NextToken=faces_token)
    with pytest.raises(client.exceptions.InvalidPaginationTokenException):
        client.list_faces(CollectionId=collection, NextToken=collections_token)
    with pytest.raises(client.exceptions.InvalidPaginationTokenException):
        client.list_faces(CollectionId=many[0], NextToken=faces_token)


def test_deleting_the_last_collection_of_a_page(client, many):
    """The next page starts behind what is gone."""
    client.create_collection(CollectionId="page.0_A-gone")
    first = client.list_collections(MaxResults=4096)["CollectionIds"]
    page = client.list_collections(MaxResults=first.index("page.0_A-gone") + 1)
    assert page["CollectionIds"][-1] == "page.0_A-gone"
    client.delete_collection(CollectionId="page.0_A-gone")
    rest = client.list_collections(NextToken=page["NextToken"])["CollectionIds"]
    assert page["CollectionIds"][:-1] + rest == [i for i in first if i != "page.0_A-gone"]


def test_walk_among_changes(server, client):
    """Walking all pages while others create and delete collections neither repeats nor skips one that was there throughout."""
    stable = [f"walk-{i:03}-stable" for i in range(60)]
    for name in stable:
        client.create_collection(CollectionId=name)
    stop, failures = threading.Event(), []
    changes = itertools.count()

    def churn(worker: int):
        own = server.client()
        try:
            while not stop.is_set():
                for i in range(worker, 60, 3):
                    name = f"walk-{i:03}-{worker}"
                    own.create_collection(CollectionId=name)
                    own.create_collection(CollectionId=name + "z")
                    own.delete_collection(CollectionId=name)
                    own.delete_collection(CollectionId=name + "z")
                    next(changes)
        except Exception as e:  # handed to the test's thread
            failures.append(e)

    threads = [threading.Thread(target=churn, args=(w,)) for w in range(3)]
    for t in threads:
        t.start()
    walks, deadline = 0, time.monotonic() + 5
    try:
        while time.monotonic() < deadline:
            ids = [i for page in pages(client, MaxResults=1 + walks % 9) for i in page["CollectionIds"]]
            assert len(ids) == len(set(ids))
            assert [i for i in ids if i.endswith("-stable")] == stable
            walks += 1
    finally:
        stop.set()
        for t in threads:
            t.join()
        for name in stable:
            client.delete_collection(CollectionId=name)
    assert not failures
    assert walks >= 5 and next(changes) >= 50


def test_retention(client, collection):
    arn = f"arn:aws:rekognition:{REGION}:{ACCOUNT}:collection/{collection}"
    tag = lambda days: {"recollect:retention-days": days}
    client.tag_resource(ResourceArn=arn, Tags=tag("30"))
    for days in ("0", "thirty", "36501"):
        with pytest.raises(client.exceptions.InvalidParameterException, match="whole number of days"):
            client.tag_resource(ResourceArn=arn, Tags=tag(days))
        with pytest.raises(client.exceptions.InvalidParameterException, match="whole number of days"):
            client.create_collection(CollectionId=collection + "-other", Tags=tag(days))
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == tag("30")
    assert collection + "-other" not in client.list_collections()["CollectionIds"]
