"""The audit log: a record of each call that boto3 makes, in CloudTrail's form."""

import base64
import json
import subprocess
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

import pictures
from server import ACCESS_KEY_ID, ACCOUNT, PROGRAM, REGION, SECRET_ACCESS_KEY, Server

DENY = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}


@pytest.fixture
def audited(tmp_path):
    server = Server(tmp_path / "data", "--audit-log", str(tmp_path / "audit"), "--audit-required").start()
    yield server
    if server.running():
        server.stop()


def folder(server: Server) -> Path:
    return server.data.with_name("audit")


def records(server: Server) -> list[dict]:
    lines = "".join(file.read_text() for file in sorted(folder(server).glob("audit-*.jsonl"))).splitlines()
    return [json.loads(line) for line in lines]


def verify(server: Server) -> subprocess.CompletedProcess:
    return subprocess.run([str(PROGRAM), "audit", "verify", str(folder(server))], capture_output=True, text=True)


def code(call) -> str:
    with pytest.raises(ClientError) as e:
        call()
    return e.value.response["Error"]["Code"]


def test_records(audited):
    client = audited.client()
    client.create_collection(CollectionId="people", Tags={"team": "doors"})
    (picture,) = pictures.lfw_pictures(1)
    indexed = client.index_faces(CollectionId="people", Image={"Bytes": picture}, ExternalImageId="anna")
    policy = audited.data.with_name("deny.json")
    policy.write_text(json.dumps(DENY))
    user, secret = audited.create_key("anna", "--policy", str(policy))
    denied = code(lambda: audited.client(user, secret).delete_collection(CollectionId="people"))
    assert denied == "AccessDeniedException"
    assert code(lambda: audited.client(secret_access_key="a guess").list_collections()) == "InvalidSignatureException"
    sts = boto3.client(
        "sts", endpoint_url=audited.endpoint, region_name=REGION, aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET_ACCESS_KEY
    )
    session = sts.get_session_token()["Credentials"]

    # Required records are there when the answer is.
    all_records = records(audited)
    calls = [r for r in all_records if r["eventType"] == "AwsApiCall"]
    assert [(r["eventSource"], r["eventName"], r.get("errorCode")) for r in calls] == [
        ("rekognition.amazonaws.com", "CreateCollection", None),
        ("rekognition.amazonaws.com", "IndexFaces", None),
        ("rekognition.amazonaws.com", "DeleteCollection", "AccessDeniedException"),
        ("rekognition.amazonaws.com", "ListCollections", "InvalidSignatureException"),
        ("sts.amazonaws.com", "GetSessionToken", None),
    ]
    intents = [r["requestID"] for r in all_records if r["eventType"] == "RecollectApiIntent"]
    assert intents == [r["requestID"] for r in calls[:2]], "what changes something is announced"
    created, faces, refused, forged, token = calls

    assert created["userIdentity"] == {
        "type": "Root",
        "principalId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:root",
        "accountId": ACCOUNT,
        "accessKeyId": ACCESS_KEY_ID,
    }
    assert created["requestParameters"] == {"collectionId": "people", "tags": {"team": "doors"}}
    assert created["responseElements"]["collectionArn"].endswith(":collection/people")
    assert created["resources"][0]["type"] == "AWS::Rekognition::Collection"
    assert created["sourceIPAddress"] == "127.0.0.1" and "Boto3" in created["userAgent"]
    assert created["awsRegion"] == REGION and created["recipientAccountId"] == ACCOUNT and not created["readOnly"]
    assert faces["requestParameters"] == {"collectionId": "people", "externalImageId": "anna"}
    face = indexed["FaceRecords"][0]["Face"]
    assert faces["responseElements"]["faceRecords"] == [
        {"face": {"faceId": face["FaceId"], "imageId": face["ImageId"], "externalImageId": "anna"}}
    ]
    assert refused["userIdentity"]["userName"] == "anna" and "not authorized" in refused["errorMessage"]
    assert forged["userIdentity"] == {"type": "Unknown", "accessKeyId": ACCESS_KEY_ID}
    assert token["responseElements"]["credentials"]["accessKeyId"] == session["AccessKeyId"]

    text = json.dumps(all_records)
    for hidden in (base64.b64encode(picture).decode()[:64], secret, SECRET_ACCESS_KEY, session["SecretAccessKey"], session["SessionToken"]):
        assert hidden not in text


def test_a_changed_line_is_found(audited):
    client = audited.client()
    for i in range(5):
        client.create_collection(CollectionId=f"c{i}")
    right = verify(audited)
    assert right.returncode == 0 and "are as they were written" in right.stdout, right
    (file,) = folder(audited).glob("audit-*.jsonl")
    text = file.read_text()
    file.write_text(text.replace('"collectionId":"c2"', '"collectionId":"c9"', 1))
    wrong = verify(audited)
    line = next(n for n, line in enumerate(text.splitlines(), 1) if '"c2"' in line)
    assert wrong.returncode == 1 and f"{file.name}, line {line}: it was changed" in wrong.stderr, wrong
    file.write_text("".join(text.splitlines(keepends=True)[:-1]))
    wrong = verify(audited)
    assert wrong.returncode == 1 and "it is missing" in wrong.stderr, wrong
    file.write_text(text)


def test_kills(audited):
    """A record of each acknowledged call is there after a kill, and the log goes on."""
    acknowledged = []
    for run in range(3):
        client = audited.client(retries={"max_attempts": 0})
        for i in range(10):
            name = f"c{run}-{i}"
            client.create_collection(CollectionId=name)
            acknowledged.append(name)
        audited.kill()
        audited.start()
    found = [r["requestParameters"]["collectionId"] for r in records(audited) if r["eventType"] == "AwsApiCall"]
    assert found == acknowledged
    assert verify(audited).returncode == 0


def test_full_disk(audited):
    """Calls are refused while no record can be written, change nothing, and are served afterwards."""
    client = audited.client(retries={"max_attempts": 0})
    client.create_collection(CollectionId="before")
    (file,) = folder(audited).glob("audit-*.jsonl")
    limit = file.stat().st_size
    subprocess.run(["prlimit", f"--pid={audited.process.pid}", f"--fsize={limit}:unlimited"], check=True)
    assert code(lambda: client.create_collection(CollectionId="meanwhile")) == "InternalServerError"
    assert code(client.list_collections) == "InternalServerError"
    subprocess.run(["prlimit", f"--pid={audited.process.pid}", "--fsize=unlimited:unlimited"], check=True)
    deadline = time.monotonic() + 30
    while True:
        try:
            assert client.list_collections()["CollectionIds"] == ["before"]
            break
        except ClientError:
            assert time.monotonic() < deadline
    assert verify(audited).returncode == 0
    assert any(r["eventName"] == "LoseAuditRecords" for r in records(audited))
