"""Accounts and regions side by side: one server, and nothing of one realm is seen in another."""

import itertools
import json

import pytest
from botocore.exceptions import ClientError

import pictures
from server import ACCOUNT, REGION, Server

OTHER_ACCOUNT = "210987654321"
OTHER_REGION = "eu-west-1"
REALMS = [(account, region) for account in (ACCOUNT, OTHER_ACCOUNT) for region in (REGION, OTHER_REGION)]
PAIRS = list(itertools.permutations(REALMS, 2))
TOKEN = "the-same-token-in-every-realm"


def error_of(call, **parameters):
    with pytest.raises(ClientError) as e:
        call(**parameters)
    return e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("realms") / "data", "--region", OTHER_REGION).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def keys(server):
    """A key that may do everything, for each account. That of the server's own is not the root's."""
    return {account: server.create_key("boss", "--account", account, "--policy", "full-access") for account in (ACCOUNT, OTHER_ACCOUNT)}


@pytest.fixture(scope="module")
def clients(server, keys):
    return {(account, region): server.client(*keys[account], region=region) for account, region in REALMS}


@pytest.fixture(scope="module")
def faces(clients):
    """The same in each realm, by the same names: two collections, one with a face of each of two people and two users. Returns the
    face ids."""
    shots = pictures.lfw_pictures(2)
    faces = {}
    for realm, client in clients.items():
        for collection in ("people", "more"):
            created = client.create_collection(CollectionId=collection)
            account, region = realm
            assert created["CollectionArn"] == f"aws:rekognition:{region}:{account}:collection/{collection}"
        faces[realm] = []
        for shot in shots:
            records = client.index_faces(CollectionId="people", Image={"Bytes": shot}, ExternalImageId="a", MaxFaces=1)["FaceRecords"]
            faces[realm].append(records[0]["Face"]["FaceId"])
        # A token stands for a call within its realm alone.
        client.create_user(CollectionId="people", UserId=f"of-{account}-{region}", ClientRequestToken=TOKEN)
        client.create_user(CollectionId="people", UserId="ann")
        client.associate_faces(CollectionId="people", UserId="ann", FaceIds=faces[realm][:1], ClientRequestToken=TOKEN + "2")
    return faces


def test_each_realm_has_its_own(clients, faces):
    assert len({face for ids in faces.values() for face in ids}) == 2 * len(REALMS)
    shot = pictures.lfw_pictures(1)[0]
    for realm, client in clients.items():
        account, region = realm
        assert client.list_collections()["CollectionIds"] == ["more", "people"]
        described = client.describe_collection(CollectionId="people")
        assert described["CollectionARN"] == f"arn:aws:rekognition:{region}:{account}:collection/people"
        assert (described["FaceCount"], described["UserCount"]) == (2, 2)
        assert [f["FaceId"] for f in client.list_faces(CollectionId="people")["Faces"]] == sorted(faces[realm])
        assert {u["UserId"] for u in client.list_users(CollectionId="people")["Users"]} == {"ann", f"of-{account}-{region}"}
        by_image = client.search_faces_by_image(CollectionId="people", Image={"Bytes": shot}, FaceMatchThreshold=0)["FaceMatches"]
        assert {m["Face"]["FaceId"] for m in by_image} == set(faces[realm])
        by_face = client.search_faces(CollectionId="people", FaceId=faces[realm][0], FaceMatchThreshold=0)["FaceMatches"]
        assert [m["Face"]["FaceId"] for m in by_face] == faces[realm][1:]
        users = client.search_users(CollectionId="people", FaceId=faces[realm][0], UserMatchThreshold=0)["UserMatches"]
        assert [m["User"]["UserId"] for m in users] == ["ann"]


@pytest.mark.parametrize("here, there", PAIRS)
def test_faces_of_another_realm_are_unknown(clients, faces, here, there):
    client, foreign = clients[here], faces[there][0]
    assert client.list_faces(CollectionId="people", FaceIds=[foreign])["Faces"] == []
    unknown = ("InvalidParameterException", "faceId was not found in the collection.")
    assert error_of(client.search_faces, CollectionId="people", FaceId=foreign) == unknown
    assert error_of(client.search_users, CollectionId="people", FaceId=foreign) == unknown
    failed = client.delete_faces(CollectionId="people", FaceIds=[foreign])["UnsuccessfulFaceDeletions"]
    assert failed == [{"FaceId": foreign, "Reasons": ["FACE_NOT_FOUND"]}]
    failed = client.associate_faces(CollectionId="people", UserId="ann", FaceIds=[foreign])["UnsuccessfulFaceAssociations"]
    assert failed == [{"FaceId": foreign, "Reasons": ["FACE_NOT_FOUND"]}]
    missing = f"of-{there[0]}-{there[1]}"
    assert error_of(client.delete_user, CollectionId="people", UserId=missing)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("operation, parameters", [
    ("list_collections", {}), ("list_faces", {"CollectionId": "people"}), ("list_users", {"CollectionId": "people"}),
])  # fmt: skip
def test_a_token_is_good_in_its_realm_alone(clients, faces, operation, parameters):
    for here in REALMS:
        token = getattr(clients[here], operation)(**parameters, MaxResults=1)["NextToken"]
        for there in REALMS:
            call = getattr(clients[there], operation)
            if here == there:
                assert "NextToken" not in call(**parameters, NextToken=token)
            else:
                assert error_of(call, **parameters, NextToken=token) == ("InvalidPaginationTokenException", "Invalid Pagination Token")


def test_a_policy_opens_what_it_names(server, clients, faces, tmp_path):
    """A policy that names one account's collection in one region opens no other, wherever it is attached."""
    arn = f"arn:aws:rekognition:{REGION}:{ACCOUNT}:collection/people"
    policy = tmp_path / "people.json"
    statement = {"Effect": "Allow", "Action": "rekognition:*", "Resource": arn}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    for account in (ACCOUNT, OTHER_ACCOUNT):
        key = server.create_key("guest", "--account", account, "--policy", str(policy))
        for region in (REGION, OTHER_REGION):
            guest = server.client(*key, region=region)
            if (account, region) == (ACCOUNT, REGION):
                assert [f["FaceId"] for f in guest.list_faces(CollectionId="people")["Faces"]] == sorted(faces[account, region])
                continue
            own = f"arn:aws:rekognition:{region}:{account}:collection/people"
            for call in guest.list_faces, guest.describe_collection, guest.delete_collection:
                code, message = error_of(call, CollectionId="people")
                assert code == "AccessDeniedException"
                assert f"User: arn:aws:iam::{account}:user/guest is not authorized to perform: rekognition:" in message
                assert f" on resource: {own} because no identity-based policy allows the rekognition:" in message
        # What an ARN names is decided by the account that has it, and its region.
        code, message = error_of(server.client(*key, region=OTHER_REGION).tag_resource, ResourceArn=arn.replace(ACCOUNT, "111111111111"), Tags={"a": "b"})
        assert code == "AccessDeniedException" and "because no identity-based policy allows" in message
    # Whoever may do everything may do it in the own account.
    code, message = error_of(clients[OTHER_ACCOUNT, REGION].tag_resource, ResourceArn=arn, Tags={"a": "b"})
    assert code == "AccessDeniedException"
    assert message == (
        f"User: arn:aws:iam::{OTHER_ACCOUNT}:user/boss is not authorized to perform: rekognition:TagResource on resource: {arn} "
        "because no resource-based policy allows the rekognition:TagResource action"
    )


def test_the_root_is_of_one_account(server, clients, faces):
    for region in (REGION, OTHER_REGION):
        root = server.client(region=region)
        assert [f["FaceId"] for f in root.list_faces(CollectionId="people")["Faces"]] == sorted(faces[ACCOUNT, region])


def test_another_region_is_refused(server, keys):
    for key in ((), keys[OTHER_ACCOUNT]):
        assert error_of(server.client(*key, region="ap-south-1").list_collections) == (
            "InvalidSignatureException", "Credential should be scoped to a valid region, not 'ap-south-1'.",
        )  # fmt: skip


def test_what_is_deleted_here_stays_elsewhere(clients, faces):
    """Last, as it changes what the others look at."""
    here, *elsewhere = REALMS
    clients[here].delete_collection(CollectionId="people")
    assert error_of(clients[here].describe_collection, CollectionId="people")[0] == "ResourceNotFoundException"
    for there in elsewhere:
        assert clients[there].describe_collection(CollectionId="people")["FaceCount"] == 2
        assert len(clients[there].search_faces(CollectionId="people", FaceId=faces[there][0], FaceMatchThreshold=0)["FaceMatches"]) == 1
