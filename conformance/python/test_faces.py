"""Faces on real photographs: index, list, search, compare, detect, delete."""

import struct

import pytest

import pictures

LANDMARKS = ["eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"]
ALL_LANDMARKS = LANDMARKS + """
leftEyeBrowLeft leftEyeBrowRight leftEyeBrowUp rightEyeBrowLeft rightEyeBrowRight rightEyeBrowUp
leftEyeLeft leftEyeRight leftEyeUp leftEyeDown rightEyeLeft rightEyeRight rightEyeUp rightEyeDown
noseLeft noseRight mouthUp mouthDown leftPupil rightPupil
upperJawlineLeft midJawlineLeft chinBottom midJawlineRight upperJawlineRight
""".split()
DEFAULT = {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
MORE = {"AgeRange", "Gender", "Emotions", "EyesOpen", "MouthOpen", "Smile"}
PEOPLE = 12


@pytest.fixture(scope="module")
def pairs():
    """Two pictures each of some people."""
    found = {}
    for person, a, b in pictures.lfw_pairs()[0]:
        found.setdefault(person, (pictures.lfw(person, a), pictures.lfw(person, b)))
    return dict(list(found.items())[:PEOPLE])


@pytest.fixture(scope="module")
def gallery(client, module_collection, pairs):
    """A collection with the first picture of each person. A person's external id is the name."""
    for person, (first, _) in pairs.items():
        records = client.index_faces(
            CollectionId=module_collection, Image={"Bytes": first}, ExternalImageId=person, MaxFaces=1, QualityFilter="NONE"
        )["FaceRecords"]
        assert len(records) == 1
    return module_collection


def listed(client, collection, **parameters):
    paginator = client.get_paginator("list_faces")
    return [f for page in paginator.paginate(CollectionId=collection, **parameters) for f in page["Faces"]]


def area(face):
    return face["BoundingBox"]["Width"] * face["BoundingBox"]["Height"]


def as_stored(x: float) -> float:
    """Six significant digits, then float32."""
    return struct.unpack("f", struct.pack("f", float(f"{x:.6g}")))[0]


@pytest.mark.parametrize("name, faces", pictures.group_counts().items() or [pytest.param("", 0, marks=pytest.mark.skip("the test data is missing"))])
def test_group_picture(client, collection, name, faces):
    response = client.index_faces(
        CollectionId=collection, Image={"Bytes": pictures.group(name)}, ExternalImageId=name, QualityFilter="NONE"
    )
    records = response["FaceRecords"]
    assert len(records) == faces
    assert response["UnindexedFaces"] == []
    assert "OrientationCorrection" not in response
    assert response["FaceModelVersion"] == client.describe_collection(CollectionId=collection)["FaceModelVersion"]

    assert [area(r["Face"]) for r in records] == sorted((area(r["Face"]) for r in records), reverse=True)
    assert len({r["Face"]["FaceId"] for r in records}) == faces
    assert len({r["Face"]["ImageId"] for r in records}) == min(faces, 1)
    for r in records:
        face, detail = r["Face"], r["FaceDetail"]
        assert face["ExternalImageId"] == name
        assert face["BoundingBox"] == detail["BoundingBox"] and face["Confidence"] == detail["Confidence"]
        assert 0 < face["Confidence"] <= 100
        check_detail(detail)

    stored = listed(client, collection)
    assert {f["FaceId"] for f in stored} == {r["Face"]["FaceId"] for r in records}
    assert client.describe_collection(CollectionId=collection)["FaceCount"] == faces


def check_detail(detail):
    assert [m["Type"] for m in detail["Landmarks"]] == LANDMARKS
    box = detail["BoundingBox"]
    for m in detail["Landmarks"]:
        assert box["Left"] - box["Width"] / 4 < m["X"] < box["Left"] + 1.25 * box["Width"]
        assert box["Top"] - box["Height"] / 4 < m["Y"] < box["Top"] + 1.25 * box["Height"]
    where = {m["Type"]: m for m in detail["Landmarks"]}
    assert where["eyeLeft"]["X"] < where["eyeRight"]["X"] and where["mouthLeft"]["X"] < where["mouthRight"]["X"]
    assert all(-180 <= detail["Pose"][axis] <= 180 for axis in ("Roll", "Yaw", "Pitch"))
    assert all(0 <= detail["Quality"][q] <= 100 for q in ("Brightness", "Sharpness"))
    assert set(detail) == DEFAULT


@pytest.mark.parametrize(
    "asked, more",
    [
        ([], set()),
        (["DEFAULT"], set()),
        (["ALL"], MORE),
        (["ALL", "DEFAULT"], MORE),
        (["DEFAULT", "SMILE", "ALL"], MORE),
        (["AGE_RANGE"], {"AgeRange"}),
        (["DEFAULT", "GENDER"], {"Gender"}),
        (["EYES_OPEN", "SMILE"], {"EyesOpen", "Smile"}),
        (["EMOTIONS", "MOUTH_OPEN"], {"Emotions", "MouthOpen"}),
        # No network sees these: they are accepted and left out.
        (["BEARD", "MUSTACHE", "EYEGLASSES", "SUNGLASSES", "FACE_OCCLUDED", "EYE_DIRECTION"], set()),
    ],
)
def test_attributes(client, collection, asked, more):
    """The default attributes always come, with those that are named; DetectFaces and IndexFaces see the same."""
    image = {"Bytes": pictures.group("cf_011_3.jpg")}
    detected = client.detect_faces(Image=image, Attributes=asked)["FaceDetails"]
    assert len(detected) == 3
    indexed = client.index_faces(
        CollectionId=collection, Image=image, DetectionAttributes=asked, MaxFaces=2, QualityFilter="NONE"
    )
    assert [r["FaceDetail"] for r in indexed["FaceRecords"] + indexed["UnindexedFaces"]] == detected
    plain = client.detect_faces(Image=image)["FaceDetails"]
    for detail, default in zip(detected, plain, strict=True):
        assert set(detail) == DEFAULT | more
        landmarks = ALL_LANDMARKS if "ALL" in asked else LANDMARKS
        assert [m["Type"] for m in detail["Landmarks"]] == landmarks
        check_detail({**{k: detail[k] for k in DEFAULT}, "Landmarks": detail["Landmarks"][:5]})
        assert {k: v for k, v in detail.items() if k in DEFAULT - {"Landmarks"}} == {
            k: v for k, v in default.items() if k != "Landmarks"
        }
        check_more(detail)


def check_more(detail):
    if "AgeRange" in detail:
        assert 0 <= detail["AgeRange"]["Low"] < detail["AgeRange"]["High"] <= 120
    if "Gender" in detail:
        assert detail["Gender"]["Value"] in ("Female", "Male") and 50 <= detail["Gender"]["Confidence"] <= 100
    for name in {"EyesOpen", "MouthOpen", "Smile"} & set(detail):
        assert isinstance(detail[name]["Value"], bool) and 50 <= detail[name]["Confidence"] <= 100
    if "Emotions" in detail:
        confidences = [e["Confidence"] for e in detail["Emotions"]]
        assert confidences == sorted(confidences, reverse=True) and sum(confidences) == pytest.approx(100, abs=0.01)
        names = {e["Type"] for e in detail["Emotions"]}
        assert names == {"HAPPY", "SAD", "ANGRY", "DISGUSTED", "SURPRISED", "CALM", "FEAR"}
    where = {m["Type"]: (m["X"], m["Y"]) for m in detail["Landmarks"]}
    if "leftPupil" in where:
        assert where["leftPupil"] == where["eyeLeft"] and where["rightPupil"] == where["eyeRight"]


def test_unknown_attribute(client):
    with pytest.raises(client.exceptions.ClientError, match="attributes") as refused:
        client.detect_faces(Image={"Bytes": pictures.group("cf_011_3.jpg")}, Attributes=["BEAUTY"])
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_max_faces(client, collection):
    picture = pictures.group("cf_016_8.jpg")
    everything = client.detect_faces(Image={"Bytes": picture})["FaceDetails"]
    response = client.index_faces(CollectionId=collection, Image={"Bytes": picture}, MaxFaces=3, QualityFilter="NONE")
    assert len(response["FaceRecords"]) == 3
    assert len(response["UnindexedFaces"]) == len(everything) - 3 == 5
    assert all(u["Reasons"] == ["EXCEEDS_MAX_FACES"] for u in response["UnindexedFaces"])
    found = [r["FaceDetail"]["BoundingBox"] for r in response["FaceRecords"] + response["UnindexedFaces"]]
    assert found == [d["BoundingBox"] for d in everything]
    assert len(listed(client, collection)) == 3


def test_index_again(client, collection):
    """With an external id an image is indexed once; without one, its faces get new ids each time."""
    def index(**more):
        records = client.index_faces(
            CollectionId=collection, Image={"Bytes": pictures.group("cf_011_3.jpg")}, QualityFilter="NONE", **more
        )["FaceRecords"]
        assert len(records) == 3
        return [r["Face"]["FaceId"] for r in records], {r["Face"]["ImageId"] for r in records}

    named = index(ExternalImageId="a")
    assert index(ExternalImageId="a") == named
    assert len(listed(client, collection)) == 3
    other = index(ExternalImageId="b")
    assert not set(other[0]) & set(named[0])
    assert len(listed(client, collection)) == 6
    first, second = index(), index()
    assert first[1] == second[1] and not set(first[0]) & set(second[0])
    assert len(listed(client, collection)) == 12
    assert client.describe_collection(CollectionId=collection)["FaceCount"] == 12


def test_list_faces(client, collection):
    records = [
        r for name in ("cf_014_5.jpg", "cf_015_6.jpg")
        for r in client.index_faces(
            CollectionId=collection, Image={"Bytes": pictures.group(name)}, ExternalImageId=name, QualityFilter="NONE"
        )["FaceRecords"]
    ]  # fmt: skip
    everything = client.list_faces(CollectionId=collection)
    assert "NextToken" not in everything and everything["FaceModelVersion"]
    ids = [f["FaceId"] for f in everything["Faces"]]
    assert ids == sorted(r["Face"]["FaceId"] for r in records) and len(ids) == 11

    indexed = {r["Face"]["FaceId"]: r["Face"] for r in records}
    for face in everything["Faces"]:
        was = indexed[face["FaceId"]]
        assert face["ImageId"] == was["ImageId"] and face["ExternalImageId"] == was["ExternalImageId"]
        assert face["Confidence"] == as_stored(was["Confidence"])
        assert face["BoundingBox"] == {k: as_stored(v) for k, v in was["BoundingBox"].items()}

    for size in (1, 4, 10, 11, 12, 0):
        walked = listed(client, collection, **({"PaginationConfig": {"PageSize": size}} if size else {"MaxResults": 0}))
        assert [f["FaceId"] for f in walked] == ids
    token = client.list_faces(CollectionId=collection, MaxResults=4)["NextToken"]
    assert len(token) <= 255
    rest = client.list_faces(CollectionId=collection, NextToken=token)["Faces"]
    assert [f["FaceId"] for f in rest] == ids[4:]

    unknown = "00000000-0000-4000-8000-000000000000"
    some = client.list_faces(CollectionId=collection, FaceIds=[ids[7], unknown, ids[2]])["Faces"]
    assert [f["FaceId"] for f in some] == [ids[2], ids[7]]
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), "x"):
        with pytest.raises(client.exceptions.InvalidPaginationTokenException):
            client.list_faces(CollectionId=collection, NextToken=wrong)


def test_delete_faces(client, collection):
    picture = pictures.group("cf_013_4.jpg")
    records = client.index_faces(CollectionId=collection, Image={"Bytes": picture}, QualityFilter="NONE")["FaceRecords"]
    ids = [r["Face"]["FaceId"] for r in records]
    unknown = "00000000-0000-4000-8000-000000000000"
    response = client.delete_faces(CollectionId=collection, FaceIds=[ids[0], unknown, ids[1], ids[0]])
    assert response["DeletedFaces"] == [ids[0], ids[1]]
    assert response["UnsuccessfulFaceDeletions"] == [{"FaceId": unknown, "Reasons": ["FACE_NOT_FOUND"]}]
    assert {f["FaceId"] for f in listed(client, collection)} == set(ids[2:])
    assert client.describe_collection(CollectionId=collection)["FaceCount"] == 2

    with pytest.raises(client.exceptions.InvalidParameterException) as e:
        client.search_faces(CollectionId=collection, FaceId=ids[0])
    assert e.value.response["Error"]["Message"] == "faceId was not found in the collection."
    found = client.search_faces_by_image(CollectionId=collection, Image={"Bytes": picture}, FaceMatchThreshold=99)
    assert ids[0] not in [m["Face"]["FaceId"] for m in found["FaceMatches"]]
    again = client.delete_faces(CollectionId=collection, FaceIds=ids)
    assert again["DeletedFaces"] == ids[2:] and len(again["UnsuccessfulFaceDeletions"]) == 2
    assert listed(client, collection) == []


def test_search_by_image(client, gallery, pairs):
    for person, (first, second) in pairs.items():
        same = client.search_faces_by_image(CollectionId=gallery, Image={"Bytes": first})
        assert same["FaceMatches"][0]["Face"]["ExternalImageId"] == person
        assert same["FaceMatches"][0]["Similarity"] == 100.0

        other = client.search_faces_by_image(CollectionId=gallery, Image={"Bytes": second})
        assert [m["Face"]["ExternalImageId"] for m in other["FaceMatches"]] == [person]
        assert 80 < other["FaceMatches"][0]["Similarity"] < 100
        assert 0 < other["SearchedFaceConfidence"] <= 100
        assert set(other["SearchedFaceBoundingBox"]) == {"Left", "Top", "Width", "Height"}
        assert other["FaceModelVersion"]


def test_search_by_image_of_a_stranger(client, gallery, pairs):
    strangers = [p for p in pictures.lfw_pairs()[1] if p[0] not in pairs][:PEOPLE]
    for person, number, _, _ in strangers:
        found = client.search_faces_by_image(CollectionId=gallery, Image={"Bytes": pictures.lfw(person, number)})
        assert found["FaceMatches"] == []


def test_search_threshold_and_order(client, gallery, pairs):
    picture = next(iter(pairs.values()))[1]
    everyone = client.search_faces_by_image(CollectionId=gallery, Image={"Bytes": picture}, FaceMatchThreshold=0)["FaceMatches"]
    similarity = [m["Similarity"] for m in everyone]
    assert len(everyone) == PEOPLE and similarity == sorted(similarity, reverse=True)
    assert all(0 <= s <= 100 for s in similarity)

    few = client.search_faces_by_image(CollectionId=gallery, Image={"Bytes": picture}, FaceMatchThreshold=0, MaxFaces=3)
    assert [m["Face"]["FaceId"] for m in few["FaceMatches"]] == [m["Face"]["FaceId"] for m in everyone[:3]]
    # A match that is exactly as similar as asked for is one.
    exact = client.search_faces_by_image(CollectionId=gallery, Image={"Bytes": picture}, FaceMatchThreshold=similarity[2])
    assert [m["Similarity"] for m in exact["FaceMatches"]] == [s for s in similarity if s >= similarity[2]]


def test_search_by_face(client, gallery, pairs):
    person, (_, second) = next(iter(pairs.items()))
    mine = next(f for f in listed(client, gallery) if f["ExternalImageId"] == person)
    alone = client.search_faces(CollectionId=gallery, FaceId=mine["FaceId"])
    assert alone["SearchedFaceId"] == mine["FaceId"] and alone["FaceMatches"] == [] and alone["FaceModelVersion"]

    added = client.index_faces(
        CollectionId=gallery, Image={"Bytes": second}, ExternalImageId="added", MaxFaces=1, QualityFilter="NONE"
    )["FaceRecords"][0]["Face"]["FaceId"]
    try:
        found = client.search_faces(CollectionId=gallery, FaceId=mine["FaceId"])["FaceMatches"]
        assert [m["Face"]["FaceId"] for m in found] == [added]
        assert found[0]["Similarity"] > 80
        back = client.search_faces(CollectionId=gallery, FaceId=added)["FaceMatches"]
        assert [m["Face"] for m in back] == [mine]
        assert back[0]["Similarity"] == found[0]["Similarity"]
        everyone = client.search_faces(CollectionId=gallery, FaceId=added, FaceMatchThreshold=0)["FaceMatches"]
        assert len(everyone) == PEOPLE and added not in [m["Face"]["FaceId"] for m in everyone]
        two = client.search_faces(CollectionId=gallery, FaceId=added, FaceMatchThreshold=0, MaxFaces=2)["FaceMatches"]
        assert two == everyone[:2]
    finally:
        client.delete_faces(CollectionId=gallery, FaceIds=[added])


def test_search_in_an_empty_collection(client, collection, pairs):
    picture = next(iter(pairs.values()))[0]
    assert client.search_faces_by_image(CollectionId=collection, Image={"Bytes": picture})["FaceMatches"] == []


def test_search_without_a_face(client, gallery):
    with pytest.raises(client.exceptions.InvalidParameterException) as e:
        client.search_faces_by_image(CollectionId=gallery, Image={"Bytes": pictures.group("cf_017_0.jpg")})
    assert e.value.response["Error"]["Message"] == "There are no faces in the image. Should be at least 1."


def test_compare(client, pairs):
    for first, second in list(pairs.values())[:4]:
        same = client.compare_faces(SourceImage={"Bytes": first}, TargetImage={"Bytes": first})
        assert same["FaceMatches"][0]["Similarity"] == 100.0
        person = client.compare_faces(SourceImage={"Bytes": first}, TargetImage={"Bytes": second})
        assert 80 < person["FaceMatches"][0]["Similarity"] < 100
        assert set(person["SourceImageFace"]) == {"BoundingBox", "Confidence"}
        check_detail(person["FaceMatches"][0]["Face"])
        assert "SourceImageOrientationCorrection" not in person


def test_compare_strangers(client, pairs):
    for person, a, other, b in pictures.lfw_pairs()[1][:8]:
        source, target = pictures.lfw(person, a), pictures.lfw(other, b)
        response = client.compare_faces(SourceImage={"Bytes": source}, TargetImage={"Bytes": target})
        assert response["FaceMatches"] == [] and len(response["UnmatchedFaces"]) >= 1
        check_detail(response["UnmatchedFaces"][0])


def test_compare_with_a_group(client):
    picture = pictures.group("cf_015_6.jpg")
    response = client.compare_faces(SourceImage={"Bytes": picture}, TargetImage={"Bytes": picture})
    assert [m["Similarity"] for m in response["FaceMatches"]] == [100.0]
    assert response["FaceMatches"][0]["Face"]["BoundingBox"] == response["SourceImageFace"]["BoundingBox"]
    assert len(response["UnmatchedFaces"]) == 5
    everyone = client.compare_faces(SourceImage={"Bytes": picture}, TargetImage={"Bytes": picture}, SimilarityThreshold=0)
    similarity = [m["Similarity"] for m in everyone["FaceMatches"]]
    assert len(similarity) == 6 and similarity == sorted(similarity, reverse=True)


@pytest.mark.parametrize("source, target", [("cf_017_0.jpg", "cf_010_2.jpg"), ("cf_010_2.jpg", "cf_017_0.jpg")])
def test_compare_without_a_face(client, source, target):
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.compare_faces(SourceImage={"Bytes": pictures.group(source)}, TargetImage={"Bytes": pictures.group(target)})


def test_detect(client):
    for name, faces in pictures.group_counts().items():
        response = client.detect_faces(Image={"Bytes": pictures.group(name)})
        assert len(response["FaceDetails"]) == faces
        assert "OrientationCorrection" not in response
        for detail in response["FaceDetails"]:
            check_detail(detail)


def test_detection_is_repeatable(client):
    first, second = (client.detect_faces(Image={"Bytes": pictures.group("cf_000_5.jpg")})["FaceDetails"] for _ in range(2))
    assert first == second and first


@pytest.mark.parametrize("image, message", [
    ({}, "Requested image should either contain bytes or s3 object."),
    ({"Bytes": b"x", "S3Object": {"Bucket": "bucket", "Name": "name"}}, "Request has invalid parameters"),
])
def test_both_or_no_source_of_the_image(client, image, message):
    with pytest.raises(client.exceptions.InvalidParameterException) as e:
        client.detect_faces(Image=image)
    assert e.value.response["Error"]["Message"] == message
