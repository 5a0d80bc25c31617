"""Bad input: each gets the service's error, in bounded memory, and changes nothing."""

import base64
import json
import socket
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import pictures
from server import Server
from wire import Request, Response, call

MAX_IMAGE = 5 << 20
MAX_BODY = 16 << 20
UNKNOWN_FACE = "00000000-0000-4000-8000-000000000000"

# How much the process may grow over all of this module, in MiB. A 30,000 x 30,000 picture, decoded, has 860.
MAX_GROWTH = 400


@pytest.fixture(scope="module")
def filled(client, module_collection):
    """A collection with faces in it."""
    client.index_faces(CollectionId=module_collection, Image={"Bytes": pictures.group("cf_012_4.jpg")}, QualityFilter="NONE")
    return module_collection


@pytest.fixture(scope="module")
def memory_before(server, filled):
    return server.resident_mib()


@pytest.fixture(autouse=True)
def nothing_changes(server, client, filled, memory_before):
    before = state(client, filled)
    yield
    assert server.running(), server.log_tail()
    assert state(client, filled) == before
    assert server.resident_mib() < memory_before + MAX_GROWTH


def state(client, collection):
    collections = client.list_collections()["CollectionIds"]
    return collections, client.list_faces(CollectionId=collection)["Faces"], client.describe_collection(CollectionId=collection)["FaceCount"]


def with_image(collection: str, image: bytes) -> dict[str, dict]:
    """The image in each operation that takes one."""
    good = {"Bytes": base64.b64encode(pictures.group("cf_010_2.jpg")).decode()}
    bad = {"Bytes": base64.b64encode(image).decode()}
    return {
        "DetectFaces": {"Image": bad},
        "IndexFaces": {"CollectionId": collection, "Image": bad},
        "SearchFacesByImage": {"CollectionId": collection, "Image": bad},
        "CompareFaces": {"SourceImage": bad, "TargetImage": good},
        "CompareFaces (target)": {"SourceImage": good, "TargetImage": bad},
    }


def refused(server: Server, operation: str, body, name: str, message: str = "") -> Response:
    response = call(server, operation.split()[0], body)
    assert (response.status, response.error[0]) == (400, name), response.body[:500]
    assert message in response.error[1]
    return response


BROKEN = {
    "text": lambda: b"this is no picture",
    "one byte": lambda: b"\0",
    "zeros": lambda: bytes(100_000),
    "GIF": lambda: b"GIF89a" + struct.pack("<HH", 100, 100) + bytes(200),
    "HTML": lambda: b"<html>" * 1000,
    "JPEG signature alone": lambda: b"\xff\xd8\xff",
    "PNG signature alone": lambda: b"\x89PNG\r\n\x1a\n",
    "truncated JPEG": lambda: pictures.shared("bad", "truncated.jpg").read_bytes(),
    "corrupted PNG": lambda: pictures.shared("bad", "corrupted.png").read_bytes(),
    "empty PNG": lambda: pictures.shared("bad", "empty.png").read_bytes(),
    "JPEG cut in its header": lambda: pictures.group("cf_010_2.jpg")[:300],
    "PNG cut short": lambda: pictures.png(200, 200)[:-30],
    "PNG with other data": lambda: pictures.png(200, 200, data=b"no deflate stream"),
    "PNG of no width": lambda: pictures.png(0, 200, data=b""),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_image(server, filled, kind):
    for operation, body in with_image(filled, BROKEN[kind]()).items():
        response = refused(server, operation, body, "InvalidImageFormatException", "Request has invalid image format")
        assert set(response.json) == {"__type", "Code", "Logref", "Message"}


def test_empty_image(server, filled):
    for operation, body in with_image(filled, b"").items():
        member = {"CompareFaces": "sourceImage", "CompareFaces (target)": "targetImage"}.get(operation, "image")
        refused(server, operation, body, "ValidationException",
                f"1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at '{member}.bytes' failed to satisfy "
                "constraint: Member must have length greater than or equal to 1")  # fmt: skip


def test_small_image(server, filled):
    for width, height in ((79, 200), (200, 79), (1, 1)):
        for operation, body in with_image(filled, pictures.png(width, height)).items():
            refused(server, operation, body, "InvalidParameterException", "Request has ")
    assert call(server, "DetectFaces", with_image(filled, pictures.png(80, 80))["DetectFaces"]).json == {"FaceDetails": []}


def test_image_over_five_mebibytes(server, filled):
    padded = pictures.group("cf_010_2.jpg").ljust(MAX_IMAGE, b"\0")
    assert len(call(server, "DetectFaces", with_image(filled, padded)["DetectFaces"]).json["FaceDetails"]) == 2
    for operation, body in with_image(filled, padded + b"\0").items():
        refused(server, operation, body, "ValidationException", "Member must have length less than or equal to 5242880")


def test_huge_dimensions(server, filled):
    """A PNG of 30,000 x 30,000: honest (110 KB), and one of a few kilobytes that has only its beginning."""
    whole = pictures.png(30_000, 30_000, bits=1)
    beginning = pictures.png(30_000, 30_000, data=zlib.compress(bytes(4_000_000)))
    assert len(beginning) < 5000
    for image in (whole, beginning):
        for operation, body in with_image(filled, image).items():
            refused(server, operation, body, "ImageTooLargeException", "Image size is too large")


def test_lying_dimensions(server, filled):
    """Headers that promise more pixels than there is data for."""
    jpeg = bytearray(pictures.group("cf_010_2.jpg"))
    frame = jpeg.index(b"\xff\xc0") if b"\xff\xc0" in jpeg else jpeg.index(b"\xff\xc2")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
    sides = (5_000, 30_000, 2**31 - 1)
    for image in (bytes(jpeg), *(pictures.png(side, side, data=data) for side in sides for data in (b"", b"x"))):
        for operation, body in with_image(filled, image).items():
            response = call(server, operation.split()[0], body)
            assert response.status == 400
            assert response.error[0] in ("ImageTooLargeException", "InvalidImageFormatException")


@pytest.mark.parametrize("value", ['"%%%"', '"YWJj*"', '"YWJ"', '"é"', "123", "true", "[1]", '{"a":1}'])
def test_base64_that_is_none(server, filled, value):
    refused(server, "DetectFaces", b'{"Image":{"Bytes":%s}}' % value.encode(), "SerializationException")


@pytest.mark.parametrize("body", [
    b"", b" ", b"{", b"}", b"[]", b"null", b"1", b'"text"', b'{"CollectionId"}', b'{"CollectionId":"a",}', b"{'CollectionId':'a'}",
    b'{"CollectionId":"\xff"}', b'{"CollectionId":"a"} {"CollectionId":"b"}', b"\x00", b"[" * 100_000, b'{"a":' * 100_000,
    b'{"CollectionId":"\\ud800"}', b"<xml/>", b"CollectionId=a",
], ids=lambda b: repr(b[:30]))  # fmt: skip
def test_json_that_is_none(server, body):
    response = call(server, "CreateCollection", body)
    assert response.status == 400
    # An empty body stands for an empty structure.
    assert response.error[0] == ("SerializationException" if body else "ValidationException")


@pytest.mark.parametrize("operation, body", [
    ("CreateCollection", {"CollectionId": 1}),
    ("CreateCollection", {"CollectionId": ["a"]}),
    ("CreateCollection", {"CollectionId": {"a": "b"}}),
    ("CreateCollection", {"CollectionId": True}),
    ("CreateCollection", {"CollectionId": "a", "Tags": ["a"]}),
    ("ListCollections", {"MaxResults": "1"}),
    ("ListCollections", {"MaxResults": 1.5}),
    ("ListCollections", {"MaxResults": 2**31}),
    ("ListCollections", {"MaxResults": [1]}),
    ("ListCollections", {"NextToken": 1}),
    ("DetectFaces", {"Image": "text"}),
    ("DetectFaces", {"Image": [1]}),
    ("DetectFaces", {"Image": {"S3Object": "text"}}),
    ("DetectFaces", {"Image": {"S3Object": {"Bucket": "bucket", "Name": "name"}}, "Attributes": "ALL"}),
    ("DeleteFaces", {"CollectionId": "a", "FaceIds": UNKNOWN_FACE}),
    ("DeleteFaces", {"CollectionId": "a", "FaceIds": [1]}),
    ("SearchFaces", {"CollectionId": "a", "FaceId": UNKNOWN_FACE, "FaceMatchThreshold": "80"}),
], ids=str)  # fmt: skip
def test_wrong_types(server, operation, body):
    refused(server, operation, body, "SerializationException")


@pytest.mark.parametrize("operation, body, message", [
    ("CreateCollection", {"CollectionId": "a b"},
     r"1 validation error detected: Value 'a b' at 'collectionId' failed to satisfy constraint: "
     r"Member must satisfy regular expression pattern: [a-zA-Z0-9_.\-]+"),
    ("CreateCollection", {"CollectionId": "a" * 256}, "Member must have length less than or equal to 255"),
    ("CreateCollection", {"CollectionId": ""}, "Member must have length greater than or equal to 1"),
    ("CreateCollection", {"CollectionId": "é"}, "Member must satisfy regular expression pattern"),
    ("CreateCollection", {"CollectionId": "a\n"}, "Member must satisfy regular expression pattern"),
    ("CreateCollection", {"CollectionId": None}, "Value null at 'collectionId' failed to satisfy constraint: Member must not be null"),
    ("ListCollections", {"MaxResults": 4097},
     "Value '4097' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 4096"),
    ("ListCollections", {"MaxResults": -1}, "Member must have value greater than or equal to 0"),
    ("ListCollections", {"NextToken": "x" * 256}, "Member must have length less than or equal to 255"),
    ("SearchFaces", {"CollectionId": "a", "FaceId": UNKNOWN_FACE.upper().replace("0", "A")}, "'faceId'"),
    ("SearchFaces", {"CollectionId": "a", "FaceId": UNKNOWN_FACE, "FaceMatchThreshold": 100.1}, "less than or equal to 100"),
    ("SearchFaces", {"CollectionId": "a", "FaceId": UNKNOWN_FACE, "FaceMatchThreshold": -0.1}, "greater than or equal to 0"),
    ("SearchFaces", {"CollectionId": "a", "FaceId": UNKNOWN_FACE, "MaxFaces": 0}, "greater than or equal to 1"),
    ("SearchFaces", {"CollectionId": "a", "FaceId": UNKNOWN_FACE, "MaxFaces": 4097}, "less than or equal to 4096"),
    ("DeleteFaces", {"CollectionId": "a", "FaceIds": []}, "'faceIds'"),
    ("DeleteFaces", {"CollectionId": "a", "FaceIds": [UNKNOWN_FACE] * 4097}, "'faceIds'"),
    ("IndexFaces", {"CollectionId": "a", "Image": {}, "ExternalImageId": "a/b"}, "'externalImageId'"),
    ("IndexFaces", {"CollectionId": "a", "Image": {}, "QualityFilter": "SOME"}, "enum value set: [NONE, AUTO, LOW, MEDIUM, HIGH]"),
    ("IndexFaces", {"CollectionId": "a", "Image": {}, "MaxFaces": 0}, "greater than or equal to 1"),
    ("IndexFaces", {"CollectionId": "a b", "Image": {}, "MaxFaces": 0}, "2 validation errors detected: "),
    ("DetectFaces", {}, "Value null at 'image' failed to satisfy constraint: Member must not be null"),
    ("DetectFaces", {"Image": {}, "Attributes": ["SOME"]}, "'attributes'"),
], ids=lambda v: str(v)[:60])  # fmt: skip
def test_constraints(server, operation, body, message):
    response = refused(server, operation, body, "ValidationException", message)
    assert set(response.json) == {"__type", "message"}


def test_unknown_members_are_ignored(server, client):
    unknown = {"New": {"a": [1, None, {"b": "c"}]}, "collectionid": 3}
    assert call(server, "CreateCollection", {"CollectionId": "unknown-members"} | unknown).status == 200
    described = call(server, "DescribeCollection", unknown | {"CollectionId": "unknown-members"})
    assert described.status == 200 and described.json["FaceCount"] == 0
    client.delete_collection(CollectionId="unknown-members")


def test_body_over_the_limit(server):
    response = call(server, "ListCollections", b" " * MAX_BODY + b"{}")
    assert response.status == 413 and response.json["__type"]
    assert call(server, "ListCollections", b" " * (MAX_BODY - 2) + b"{}").status == 200


def test_endless_body(server):
    """A body of unknown length is cut off at the same limit."""
    request = Request(body=b"{}").sign(server)
    headers = "".join(f"{k}: {v}\r\n" for k, v in request.headers.items() if k.lower() != "content-length")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        try:
            for _ in range(40):
                s.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass  # that is what is asked for
        try:
            answer = s.recv(100)
        except ConnectionResetError:
            answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413 ")


def test_body_that_ends_early(server):
    request = Request(body=b'{"CollectionId":"early"}').sign(server)
    headers = "".join(f"{k}: {v}\r\n" for k, v in request.headers.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{headers}Content-Length: 1000\r\n\r\n".encode() + request.body)
        s.shutdown(socket.SHUT_WR)
        answer = s.recv(100)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


def test_not_http(server):
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HELLO\r\n\r\n", b"\0" * 5000, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s:
            s.sendall(noise)
            s.shutdown(socket.SHUT_WR)
            assert b" 200 " not in s.recv(1000)


@pytest.mark.parametrize("method, path", [
    ("GET", "/"), ("PUT", "/"), ("DELETE", "/"), ("HEAD", "/"), ("OPTIONS", "/"),
    ("POST", "/path"), ("POST", "/index.html"), ("GET", "/health"), ("POST", "/%00"), ("POST", "/" + "a" * 5000),
])  # fmt: skip
def test_wrong_method_or_path(server, method, path):
    """Nothing but POST / is an operation, signed or not."""
    for request in (Request(method=method, path=path), Request(method=method, path=path).sign(server)):
        response = request.send(server)
        assert response.status in (400, 404, 405)
        assert b"CollectionIds" not in response.body


def test_one_broken_request_disturbs_no_other(server, client, filled):
    """Good requests between bad ones, on connections of their own and at the same time."""
    bodies = [json.dumps(b).encode() for b in with_image(filled, pictures.png(30_000, 30_000, data=b"")).values()]

    def bad(i):
        return call(server, "IndexFaces", bodies[i % len(bodies)]).status

    def good(_):
        return len(client.detect_faces(Image={"Bytes": pictures.group("cf_010_2.jpg")})["FaceDetails"])

    with ThreadPoolExecutor(12) as pool:
        statuses, found = pool.map(bad, range(60)), pool.map(good, range(20))
        assert set(statuses) == {400} and set(found) == {2}
