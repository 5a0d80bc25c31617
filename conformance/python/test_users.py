"""Users on real photographs: faces of a person that are searched as one."""

import uuid

import pytest
from botocore.exceptions import ClientError

import pictures

PEOPLE = 8  # as many users, of as many people
SHOTS = 4  # pictures of each: all but the last are enrolled
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def people():
    """Some people's pictures."""
    folders = sorted(f for f in pictures.shared("lfw", "images").iterdir() if len(list(f.glob("*.jpg"))) >= SHOTS)[:PEOPLE]
    assert len(folders) == PEOPLE
    return {f.name: [p.read_bytes() for p in sorted(f.glob("*.jpg"))[:SHOTS]] for f in folders}


def index(client, collection, picture, **more):
    records = client.index_faces(
        CollectionId=collection, Image={"Bytes": picture}, MaxFaces=1, QualityFilter="NONE", **more
    )["FaceRecords"]
    assert len(records) == 1 and "UserId" not in records[0]["Face"]
    return records[0]["Face"]["FaceId"]


def statuses(client, collection):
    pages = client.get_paginator("list_users").paginate(CollectionId=collection, PaginationConfig={"PageSize": 3})
    listed = [u for page in pages for u in page["Users"]]
    assert client.describe_collection(CollectionId=collection)["UserCount"] == len(listed)
    return {u["UserId"]: u["UserStatus"] for u in listed}


@pytest.fixture(scope="module")
def crowd(client, module_collection, people):
    """A collection with a user of each person. Returns it with each user's faces."""
    faces = {}
    for person, shots in people.items():
        faces[person] = [index(client, module_collection, shot, ExternalImageId=f"{person}:{i}") for i, shot in enumerate(shots[:-1])]
        client.create_user(CollectionId=module_collection, UserId=person)
        assert statuses(client, module_collection)[person] == "CREATED"
        response = client.associate_faces(CollectionId=module_collection, UserId=person, FaceIds=faces[person])
        assert [f["FaceId"] for f in response["AssociatedFaces"]] == faces[person]
        assert response["UnsuccessfulFaceAssociations"] == [] and response["UserStatus"] == "UPDATING"
    assert statuses(client, module_collection) == dict.fromkeys(people, "ACTIVE")
    return module_collection, faces


@pytest.fixture
def ann(client, collection, people):
    """A collection with a user without faces, one picture each of two people, and another one of the first."""
    client.create_user(CollectionId=collection, UserId="ann:1")
    (first, second, *_), (stranger, *_) = list(people.values())[:2]
    return collection, [index(client, collection, p, ExternalImageId=str(i)) for i, p in enumerate((first, second, stranger))]


def error_of(call, **parameters):
    with pytest.raises(ClientError) as e:
        call(**parameters)
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]


def test_search_by_image(client, crowd, people):
    """A picture that is not enrolled finds its user, and no other."""
    collection, _ = crowd
    for person, shots in people.items():
        response = client.search_users_by_image(CollectionId=collection, Image={"Bytes": shots[-1]})
        assert [m["User"] for m in response["UserMatches"]] == [{"UserId": person, "UserStatus": "ACTIVE"}]
        assert 80 <= response["UserMatches"][0]["Similarity"] <= 100
        assert set(response["SearchedFace"]["FaceDetail"]) >= {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
        assert response["FaceModelVersion"]

        everyone = client.search_users_by_image(CollectionId=collection, Image={"Bytes": shots[-1]}, UserMatchThreshold=0)["UserMatches"]
        similarity = [m["Similarity"] for m in everyone]
        assert len(everyone) == PEOPLE and similarity == sorted(similarity, reverse=True)
        two = client.search_users_by_image(CollectionId=collection, Image={"Bytes": shots[-1]}, UserMatchThreshold=0, MaxUsers=2)
        assert two["UserMatches"] == everyone[:2]


def test_search_by_image_of_many_faces(client, crowd):
    collection, _ = crowd
    picture = pictures.group("cf_015_6.jpg")
    response = client.search_users_by_image(CollectionId=collection, Image={"Bytes": picture})
    assert response["UserMatches"] == []
    details = client.detect_faces(Image={"Bytes": picture})["FaceDetails"]
    assert response["SearchedFace"]["FaceDetail"] == details[0]
    assert [u["FaceDetails"] for u in response["UnsearchedFaces"]] == details[1:]
    assert all(u["Reasons"] == ["FACE_NOT_LARGEST"] for u in response["UnsearchedFaces"])


def test_search_by_image_without_a_face(client, crowd):
    """Unlike with SearchFacesByImage, this is no error."""
    response = client.search_users_by_image(CollectionId=crowd[0], Image={"Bytes": pictures.group("cf_017_0.jpg")})
    assert response["UserMatches"] == [] and response["UnsearchedFaces"] == [] and "SearchedFace" not in response


def test_search_by_face_and_by_user(client, crowd):
    collection, faces = crowd
    for person, ids in faces.items():
        by_face = client.search_users(CollectionId=collection, FaceId=ids[0])
        assert by_face["SearchedFace"] == {"FaceId": ids[0]} and "SearchedUser" not in by_face
        assert [m["User"]["UserId"] for m in by_face["UserMatches"]] == [person]
        by_user = client.search_users(CollectionId=collection, UserId=person, UserMatchThreshold=0)
        assert by_user["SearchedUser"] == {"UserId": person} and "SearchedFace" not in by_user
        assert {m["User"]["UserId"] for m in by_user["UserMatches"]} == set(faces) - {person}
        assert client.search_users(CollectionId=collection, UserId=person)["UserMatches"] == []


def test_search_for_nobody(client, crowd):
    collection, faces = crowd
    person, ids = next(iter(faces.items()))
    invalid = ("InvalidParameterException", "Request has invalid parameters")
    assert error_of(client.search_users, CollectionId=collection) == invalid
    assert error_of(client.search_users, CollectionId=collection, UserId=person, FaceId=ids[0]) == invalid
    assert error_of(client.search_users, CollectionId=collection, FaceId=UNKNOWN) == (
        "InvalidParameterException", "faceId was not found in the collection.")  # fmt: skip
    assert error_of(client.search_users, CollectionId=collection, UserId="none") == (
        "ResourceNotFoundException", "The user id: none does not exist")  # fmt: skip


def test_faces_show_their_user(client, crowd, people):
    collection, faces = crowd
    person, ids = next(iter(faces.items()))
    mine = client.list_faces(CollectionId=collection, UserId=person)["Faces"]
    assert [f["FaceId"] for f in mine] == sorted(ids) and all(f["UserId"] == person for f in mine)
    some = client.list_faces(CollectionId=collection, UserId=person, FaceIds=[ids[0], faces[list(faces)[1]][0]])["Faces"]
    assert [f["FaceId"] for f in some] == [ids[0]]
    paginator = client.get_paginator("list_faces").paginate(CollectionId=collection, UserId=person, PaginationConfig={"PageSize": 1})
    assert [f for page in paginator for f in page["Faces"]] == mine
    found = client.search_faces_by_image(CollectionId=collection, Image={"Bytes": people[person][-1]})["FaceMatches"]
    assert found and all(m["Face"]["UserId"] == person for m in found)
    assert error_of(client.list_faces, CollectionId=collection, UserId="none")[0] == "ResourceNotFoundException"


def test_threshold(client, ann):
    collection, (first, second, stranger) = ann
    # Into a user without faces any face goes.
    associate = {"CollectionId": collection, "UserId": "ann:1"}
    assert client.associate_faces(**associate, FaceIds=[first], UserMatchThreshold=100)["AssociatedFaces"] == [{"FaceId": first}]
    response = client.associate_faces(**associate, FaceIds=[stranger, UNKNOWN, first, second, stranger])
    assert response["AssociatedFaces"] == [{"FaceId": second}]
    low, unknown = response["UnsuccessfulFaceAssociations"]
    assert low["FaceId"] == stranger and low["Reasons"] == ["LOW_MATCH_CONFIDENCE"] and 0 <= low["Confidence"] < 75 and "UserId" not in low
    assert unknown == {"FaceId": UNKNOWN, "Reasons": ["FACE_NOT_FOUND"]}
    # As similar as it is: as a search says.
    matches = client.search_users(CollectionId=collection, FaceId=stranger, UserMatchThreshold=0)["UserMatches"]
    again = client.associate_faces(**associate, FaceIds=[stranger])
    assert again["UserStatus"] == "ACTIVE"
    assert again["UnsuccessfulFaceAssociations"][0]["Confidence"] == pytest.approx(matches[0]["Similarity"], abs=1e-3)
    assert client.associate_faces(**associate, FaceIds=[stranger], UserMatchThreshold=0)["AssociatedFaces"] == [{"FaceId": stranger}]


def test_a_face_has_one_user(client, ann):
    collection, (first, second, _) = ann
    client.create_user(CollectionId=collection, UserId="bob")
    client.associate_faces(CollectionId=collection, UserId="ann:1", FaceIds=[first])
    taken = [{"FaceId": first, "UserId": "ann:1", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]}]
    response = client.associate_faces(CollectionId=collection, UserId="bob", FaceIds=[first])
    assert response["UnsuccessfulFaceAssociations"] == taken and response["UserStatus"] == "CREATED"
    response = client.disassociate_faces(CollectionId=collection, UserId="bob", FaceIds=[first, second])
    assert response["UnsuccessfulFaceDisassociations"] == taken and response["DisassociatedFaces"] == []

    # Nor can it be deleted while it has one.
    response = client.delete_faces(CollectionId=collection, FaceIds=[first, second])
    assert response["DeletedFaces"] == [second]
    assert response["UnsuccessfulFaceDeletions"] == [{"FaceId": first, "UserId": "ann:1", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]}]
    response = client.disassociate_faces(CollectionId=collection, UserId="ann:1", FaceIds=[first, UNKNOWN])
    assert response["DisassociatedFaces"] == [{"FaceId": first}] and response["UserStatus"] == "UPDATING"
    assert response["UnsuccessfulFaceDisassociations"] == [{"FaceId": UNKNOWN, "Reasons": ["FACE_NOT_FOUND"]}]
    assert statuses(client, collection) == {"ann:1": "CREATED", "bob": "CREATED"}
    assert client.search_users(CollectionId=collection, FaceId=first, UserMatchThreshold=0)["UserMatches"] == []
    assert client.delete_faces(CollectionId=collection, FaceIds=[first])["DeletedFaces"] == [first]


def test_delete_user(client, ann):
    collection, faces = ann
    client.associate_faces(CollectionId=collection, UserId="ann:1", FaceIds=faces)
    assert client.search_users(CollectionId=collection, FaceId=faces[0])["UserMatches"]
    client.delete_user(CollectionId=collection, UserId="ann:1")
    assert client.search_users(CollectionId=collection, FaceId=faces[0])["UserMatches"] == []
    listed = client.list_faces(CollectionId=collection)["Faces"]
    assert [f["FaceId"] for f in listed] == sorted(faces) and all("UserId" not in f for f in listed)
    assert statuses(client, collection) == {}
    missing = ("ResourceNotFoundException", "The user id: ann:1 does not exist")
    assert error_of(client.delete_user, CollectionId=collection, UserId="ann:1") == missing
    assert error_of(client.associate_faces, CollectionId=collection, UserId="ann:1", FaceIds=faces) == missing
    assert error_of(client.disassociate_faces, CollectionId=collection, UserId="ann:1", FaceIds=faces) == missing


def test_create_user_again(client, ann):
    collection, _ = ann
    assert error_of(client.create_user, CollectionId=collection, UserId="ann:1") == (
        "ConflictException", "The user id: ann:1 already exists")  # fmt: skip
    assert error_of(client.create_user, CollectionId="none", UserId="ann:1")[0] == "ResourceNotFoundException"
    assert error_of(client.create_user, CollectionId=collection, UserId="a b")[0] == "ValidationException"


def test_no_more_than_100_faces(client, collection, people):
    client.create_user(CollectionId=collection, UserId="u")
    picture = next(iter(people.values()))[0]
    faces = [index(client, collection, picture, ExternalImageId=str(i)) for i in range(101)]
    client.associate_faces(CollectionId=collection, UserId="u", FaceIds=faces[:99])
    assert error_of(client.associate_faces, CollectionId=collection, UserId="u", FaceIds=faces[99:])[0] == "ServiceQuotaExceededException"
    assert len(client.list_faces(CollectionId=collection, UserId="u")["Faces"]) == 99
    assert client.associate_faces(CollectionId=collection, UserId="u", FaceIds=faces[99:100])["AssociatedFaces"]


def test_tokens(own_server, people):
    """A call that is repeated with its token is answered as before, also by a server that was killed in between."""
    client = own_server.client()
    client.create_collection(CollectionId="c")
    face = index(client, "c", next(iter(people.values()))[0])
    token = uuid.uuid4().hex
    user = {"CollectionId": "c", "UserId": "ann", "ClientRequestToken": token}

    client.create_user(**user)
    associated = client.associate_faces(**user, FaceIds=[face, UNKNOWN])
    own_server.process.kill()
    own_server.process.wait()
    own_server.start()
    client = own_server.client()
    client.create_user(**user)
    again = client.associate_faces(**user, FaceIds=[face, UNKNOWN])
    del associated["ResponseMetadata"], again["ResponseMetadata"]
    assert again == associated and again["UserStatus"] == "UPDATING"
    mismatch = ("IdempotentParameterMismatchException", f"The ClientRequestToken: {token} you have supplied is already in use.")
    assert error_of(client.create_user, **(user | {"UserId": "bob"})) == mismatch
    assert error_of(client.associate_faces, **user, FaceIds=[face]) == mismatch

    assert client.disassociate_faces(**user, FaceIds=[face])["DisassociatedFaces"] == [{"FaceId": face}]
    assert client.disassociate_faces(**user, FaceIds=[face])["DisassociatedFaces"] == [{"FaceId": face}]
    client.delete_user(**user)
    client.delete_user(**user)
    assert client.list_users(CollectionId="c")["Users"] == []
    assert error_of(client.delete_user, CollectionId="c", UserId="ann")[0] == "ResourceNotFoundException"
