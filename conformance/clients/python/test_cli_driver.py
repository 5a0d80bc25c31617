"""How a call becomes a command line, and what the CLI prints an answer. The CLI itself needs no server for what it refuses."""

import base64

import pytest

import cli_driver


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """A setup by which the CLI would reach no server."""
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIACONFORMANCETESTS",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_ENDPOINT_URL_REKOGNITION": "http://127.0.0.1:1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)


def lines(operation, arguments, folder):
    return cli_driver.command_line(operation, arguments, folder)


def blob(data: bytes) -> dict:
    return {"$blob": base64.b64encode(data).decode()}


def test_scalars_structures_lists_and_maps(tmp_path):
    arguments = {"CollectionId": "c", "MaxFaces": 3, "FaceMatchThreshold": 1.5, "Video": {"S3Object": {"Bucket": "b"}}, "FaceIds": ["-a", "b"], "UserId": None}
    assert lines("SearchFacesByImage", arguments, tmp_path) == [
        "rekognition", "search-faces-by-image", "--collection-id", "c", "--max-faces", "3", "--face-match-threshold", "1.5",
        "--video", '{"S3Object": {"Bucket": "b"}}', "--face-ids", '["-a", "b"]',
    ]  # fmt: skip


def test_floats_that_json_has_no_number_for(tmp_path):
    assert lines("SearchFaces", {"FaceMatchThreshold": {"$float": "-Infinity"}}, tmp_path)[2:] == ["--face-match-threshold=-Infinity"]
    assert lines("DetectText", {"Filters": {"WordFilter": {"MinConfidence": {"$float": "NaN"}}}}, tmp_path)[2:] == [
        "--filters", '{"WordFilter": {"MinConfidence": NaN}}',
    ]  # fmt: skip


def test_images_go_by_way_of_files(tmp_path):
    line = lines("CompareFaces", {"SourceImage": {"Bytes": blob(b"\xff\xd8")}, "TargetImage": {"S3Object": {"Bucket": "b"}, "Bytes": blob(b"")}}, tmp_path)
    assert line[2:] == [
        "--source-image-bytes", f"fileb://{tmp_path}/value-0",
        "--target-image", '{"S3Object": {"Bucket": "b"}}', "--target-image-bytes", f"fileb://{tmp_path}/value-1",
    ]  # fmt: skip
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"\xff\xd8", b""]


def test_texts_that_the_command_line_would_take_for_something_else(tmp_path):
    assert lines("SearchFaces", {"FaceId": "--debug"}, tmp_path)[2:] == ["--face-id=--debug"]
    for text in ["file:///etc/passwd", "https://example.com", "a" * 200_000]:
        [option, value] = lines("CreateUser", {"UserId": text}, tmp_path)[2:]
        assert option == "--user-id"
        assert cli_driver.Path(value.removeprefix("file://")).read_text() == text


def test_an_option_that_the_cli_calls_otherwise(tmp_path):
    assert lines("CreateStreamProcessor", {"Output": {}}, tmp_path)[2:] == ["--stream-processor-output", "{}"]


@pytest.mark.parametrize("value", ["a\0b", "\ud800", {"GroundTruth": blob(b"\xff")}])
def test_what_a_command_line_cannot_hold(value, tmp_path):
    with pytest.raises(cli_driver.Refusal):
        lines("UpdateDatasetEntries", {"Changes": value}, tmp_path)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("Nope", {}),
        ("CreateCollection", {}),
        ("CreateCollection", {"CollectionId": ""}),
        ("ListCollections", {"MaxResults": "three"}),
        ("ListCollections", {"MaxResults": -1}),
        ("ListCollections", {"Unknown": 1}),
        ("DetectFaces", {"Image": "=", "Attributes": ["ALL"]}),
    ],
)
def test_what_the_cli_refuses(operation, arguments):
    assert list(cli_driver.Driver().answer({"call": operation, "input": arguments})) == ["refused"]


@pytest.mark.parametrize("retries", ["", " (reached max retries: 4)"])
def test_errors_of_the_service(retries):
    printed = f'\nAn error occurred (InvalidParameterException) when calling the ListFaces operation{retries}: two\nlines: (a) "b".\n'
    answer = cli_driver.read("ListFaces", 255, "", printed)
    assert answer == {"error": {"code": "InvalidParameterException", "message": 'two\nlines: (a) "b".'}}


def test_other_failures():
    assert cli_driver.read("ListFaces", 255, "", '\nCould not connect to the endpoint URL: "http://127.0.0.1/"\n') == {
        "failed": 'Could not connect to the endpoint URL: "http://127.0.0.1/"'
    }


def test_outputs_with_binary_data_and_timestamps():
    assert cli_driver.read("DeleteUser", 0, "", "") == {"output": {}}
    printed = '{"ReferenceImage": {"Bytes": "AP8Q"}, "AuditImages": [{"Bytes": ""}]}'
    answer = cli_driver.read("GetFaceLivenessSessionResults", 0, printed, "")
    assert answer == {"output": {"ReferenceImage": {"Bytes": {"$blob": "AP8Q"}}, "AuditImages": [{"Bytes": {"$blob": ""}}]}}
    for printed in ["1569444828.274", '"2019-09-25T20:53:48.274000+00:00"']:
        answer = cli_driver.read("DescribeCollection", 0, '{"CreationTimestamp": %s}' % printed, "")
        assert answer == {"output": {"CreationTimestamp": 1569444828.274}}
