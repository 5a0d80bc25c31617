"""Every operation that botocore's model of the service has."""

import re
from pathlib import Path

import botocore
import botocore.session
import pytest
from botocore.exceptions import ClientError

from pictures import png
from server import ROOT
from wire import Request, call

MODEL = botocore.session.get_session().get_service_model("rekognition")

DOCUMENT = (ROOT / "COMPATIBILITY.md").read_text()


def section(title):
    """The text of a section of COMPATIBILITY.md."""
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


# What is built, and which lists of families that are not built are answered.
BUILT = set(re.findall(r"^### (\w+)$", section("Operation by operation"), re.MULTILINE))
EMPTY = set(re.findall(r"^\| `(\w+)` \|", section("Lists of families that are not built"), re.MULTILINE))

# A valid value for each text with a pattern of its own.
TEXTS = {
    "CollectionId": "operations-test",
    "DatasetArn": "arn:aws:rekognition:us-east-1:123456789012:project/p/dataset/train/1",
    "FaceId": "00000000-0000-4000-8000-000000000000",
    "LivenessSessionId": "00000000-0000-4000-8000-000000000000",
    "ProjectArn": "arn:aws:rekognition:us-east-1:123456789012:project/p/1",
    "ProjectVersionArn": "arn:aws:rekognition:us-east-1:123456789012:project/p/version/v/1",
    "ResourceArn": "arn:aws:rekognition:us-east-1:123456789012:collection/operations-test",
    "RoleArn": "arn:aws:iam::123456789012:role/r",
}


def valid(shape):
    """A value that satisfies the model: required members alone, and the least of everything."""
    match shape.type_name:
        case "structure":
            if shape.name == "Image":
                return {"Bytes": png(100, 100)}
            return {name: valid(member) for name, member in shape.members.items() if name in shape.required_members}
        case "list":
            return [valid(shape.member)] * max(1, shape.metadata.get("min", 1))
        case "map":
            return {valid(shape.key): valid(shape.value)}
        case "string":
            text = shape.enum[0] if shape.enum else TEXTS.get(shape.name, "abc")
            pattern = shape.metadata.get("pattern", "")
            assert r"\p" in pattern or not pattern or re.fullmatch(pattern, text), f"{shape.name} needs a value of its own"
            return text
        case "integer" | "long":
            return max(1, shape.metadata.get("min", 1))
        case "float" | "double":
            return 50.0
        case "boolean":
            return True
        case "blob":
            return b"abc"
    raise NotImplementedError(shape.type_name)


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_valid_input(client, operation):
    """A valid request is either served (or refused for what it asks), or answered with NotImplementedException, as COMPATIBILITY.md says."""
    described = MODEL.operation_model(operation)
    modelled = {shape.name for shape in described.error_shapes}
    try:
        status = client._make_api_call(operation, valid(described.input_shape))["ResponseMetadata"]["HTTPStatusCode"]
        assert status == 200
        assert operation in BUILT | EMPTY
    except ClientError as e:
        error, status = e.response["Error"], e.response["ResponseMetadata"]["HTTPStatusCode"]
        if error["Code"] == "NotImplementedException":
            assert operation not in BUILT | EMPTY
            assert status == 501 and operation in error["Message"]
        else:
            assert operation in BUILT | EMPTY
            assert error["Code"] in modelled - {"InternalServerError"} and status == 400, f"{status} {error}"
    if operation == "CreateCollection":
        client.delete_collection(CollectionId=TEXTS["CollectionId"])


def test_kept_model():
    """The server's types are generated from the model that the clients have, byte by byte."""
    kept = list((ROOT / "internal/api/wire/gen/model").glob("*.gz"))
    assert [path.name for path in kept] == [f"botocore-{botocore.__version__}-service-2.json.gz"], "make generate with the version of the clients"
    original = Path(botocore.__file__).parent / "data/rekognition/2016-06-27/service-2.json.gz"
    assert kept[0].read_bytes() == original.read_bytes()


def test_number_of_operations():
    assert len(MODEL.operation_names) >= 75
    assert len(BUILT) == 28
    assert len(EMPTY) == 7
    assert not BUILT & EMPTY


@pytest.mark.parametrize("operation", [o for o in MODEL.operation_names if MODEL.operation_model(o).input_shape.required_members])
def test_missing_members(server, operation):
    """Each required member that is missing is named, in operations that are not built yet as well."""
    shape = MODEL.operation_model(operation).input_shape
    response = call(server, operation, {})
    name, message = response.error
    assert (response.status, name) == (400, "ValidationException")
    noun = "error" if len(shape.required_members) == 1 else "errors"
    assert message.startswith(f"{len(shape.required_members)} validation {noun} detected: ")
    for member in shape.required_members:
        path = member[0].lower() + member[1:]
        assert f"Value null at '{path}' failed to satisfy constraint: Member must not be null" in message


@pytest.mark.parametrize("target", [
    "RekognitionService.NoSuchOperation",
    "RekognitionService.listCollections",
    "RekognitionService.",
    "RekognitionService",
    "ListCollections",
    "DynamoDB_20120810.ListTables",
    "",
    "x" * 5000,
])  # fmt: skip
def test_unknown_target(server, target):
    response = call(server, "", b"{}", headers={"X-Amz-Target": target})
    assert response.status == 400 and response.json["__type"] == "UnknownOperationException"


def test_no_target(server):
    request = Request().sign(server)
    del request.headers["X-Amz-Target"]
    # Without the header that was signed the signature is another.
    assert request.send(server).error[0] == "InvalidSignatureException"
