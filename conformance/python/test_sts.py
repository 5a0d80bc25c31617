"""Temporary credentials: the providers of boto3 and the AWS CLI, set up by files and environment as on AWS."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
import rsa
from botocore.exceptions import ClientError

from server import ACCESS_KEY_ID, ACCOUNT, PROGRAM, REGION, ROOT, SECRET_ACCESS_KEY, Server
from wire import Request

CLIENT_JS = ROOT / "conformance" / "clients" / "js" / "node_modules"

ISSUER = "https://id.example.com/realms/staff"
PROVIDER = ISSUER.removeprefix("https://")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"

ASSUME = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}


def trust(principal: dict, action, **more) -> dict:
    return {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": principal, "Action": action, **more}}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """An identity provider, whose keys are in a file."""

    def __init__(self, bits: int = 2064):
        # The length of a key that is made quickly is a little less than what is asked for.
        self.public, self.private = rsa.newkeys(bits, accurate=False)

    def keys(self) -> dict:
        number = lambda n: base64url(n.to_bytes((n.bit_length() + 7) // 8, "big"))
        return {"keys": [{"kty": "RSA", "kid": "k", "use": "sig", "alg": "RS256", "n": number(self.public.n), "e": number(self.public.e)}]}

    def token(self, **claims) -> str:
        claims = {"iss": ISSUER, "sub": "pod:camera", "aud": "recollect", "exp": int(time.time()) + 3600} | claims
        text = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "k"}, claims))
        return text + "." + base64url(rsa.sign(text.encode(), self.private, "SHA-256"))


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


@pytest.fixture(scope="module")
def sts_server(tmp_path_factory, issuer):
    folder = tmp_path_factory.mktemp("sts")
    (folder / "keys.json").write_text(json.dumps(issuer.keys()))
    (folder / "issuers.json").write_text(
        json.dumps({"issuers": [{"issuer": ISSUER, "audiences": ["recollect"], "jwks": "keys.json"}]})
    )
    server = Server(folder / "data", "--oidc-issuers", str(folder / "issuers.json")).start()
    roles = {
        "people": (trust({"AWS": ACCOUNT}, ["sts:AssumeRole", "sts:TagSession"]), "full-access"),
        "readers": (trust({"AWS": ACCOUNT}, "sts:AssumeRole"), "read-only"),
        "pods": (
            trust(
                {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}"},
                "sts:AssumeRoleWithWebIdentity",
                Condition={"StringEquals": {f"{PROVIDER}:sub": "pod:camera"}},
            ),
            "full-access",
        ),
    }
    for name, (policy, permissions) in roles.items():
        recollect(server, "roles", "create", name, "--trust", document(folder, name, policy), "--policy", permissions)
    yield server
    server.stop()


def document(folder: Path, name: str, policy: dict) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(policy))
    return str(path)


def recollect(server: Server, *args: str) -> str:
    out = subprocess.run([str(PROGRAM), *args, "--data", str(server.data)], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    return out.stdout


@pytest.fixture(scope="module")
def anna(sts_server, tmp_path_factory):
    """The key of a user who may assume roles and nothing else."""
    return sts_server.create_key("anna", "--policy", document(tmp_path_factory.mktemp("anna"), "assume", ASSUME))


def sts(server: Server, key: tuple[str, ...]):
    return boto3.client(
        "sts", endpoint_url=server.endpoint, region_name=REGION, aws_access_key_id=key[0], aws_secret_access_key=key[1],
        aws_session_token=key[2] if len(key) > 2 else None,
    )  # fmt: skip


def key_of(answer: dict) -> tuple[str, str, str]:
    c = answer["Credentials"]
    return c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"]


def rekognition(server: Server, key: tuple[str, str, str]):
    return server.client(key[0], key[1], session_token=key[2])


def refused(call, *args, **kwargs) -> str:
    with pytest.raises(ClientError) as e:
        call(*args, **kwargs)
    return e.value.response["Error"]["Code"]


WHO = """
import boto3
print(boto3.client("sts").get_caller_identity()["Arn"])
client = boto3.client("rekognition")
print(client.list_collections()["ResponseMetadata"]["HTTPStatusCode"])
"""


# The same by the SDK for JavaScript, whose providers have a client of STS of their own.
WHO_IN_JAVASCRIPT = """
import { RekognitionClient, ListCollectionsCommand } from "@aws-sdk/client-rekognition";
const client = new RekognitionClient({});
console.log((await client.config.credentials()).accessKeyId.slice(0, 4));
console.log((await client.send(new ListCollectionsCommand({}))).$metadata.httpStatusCode);
"""


def in_another_process(server: Server, *command: str, **settings: str) -> list[str]:
    """What an application does that has its settings from the environment alone."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL_STS": server.endpoint,
        "AWS_ENDPOINT_URL_REKOGNITION": server.endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_CONFIG_FILE": "/dev/null",
    } | settings
    command = command or (sys.executable, "-c", WHO)
    out = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    return out.stdout.split()


@pytest.fixture
def profile(anna, tmp_path):
    """Settings of a profile that assumes a role with the key of another profile."""
    (tmp_path / "config").write_text(
        f"[profile anna]\n[profile camera]\nrole_arn = {ROLE}people\nsource_profile = anna\nrole_session_name = lobby\n"
        f"duration_seconds = 900\n"
    )
    (tmp_path / "credentials").write_text(f"[anna]\naws_access_key_id = {anna[0]}\naws_secret_access_key = {anna[1]}\n")
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_PROFILE": "camera",
    }


@pytest.fixture
def web_identity(issuer, tmp_path):
    """Settings of a pod, whose token is in a file."""
    (tmp_path / "token").write_text(issuer.token())
    return {
        "AWS_ROLE_ARN": ROLE + "pods",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_SESSION_NAME": "pod-1",
    }


def test_role_of_a_profile(sts_server, profile):
    assert in_another_process(sts_server, **profile) == [f"arn:aws:sts::{ACCOUNT}:assumed-role/people/lobby", "200"]


def test_web_identity_of_a_file(sts_server, web_identity):
    assert in_another_process(sts_server, **web_identity) == [f"arn:aws:sts::{ACCOUNT}:assumed-role/pods/pod-1", "200"]


@pytest.mark.parametrize("settings", ["profile", "web_identity"])
def test_default_chain_of_javascript(sts_server, settings, request, tmp_path):
    (tmp_path / "who.mjs").write_text(WHO_IN_JAVASCRIPT)
    (tmp_path / "node_modules").symlink_to(CLIENT_JS)
    settings = request.getfixturevalue(settings)
    assert in_another_process(sts_server, "node", str(tmp_path / "who.mjs"), AWS_REGION=REGION, **settings) == ["ASIA", "200"]


def test_aws_cli(sts_server, anna):
    """The CLI beside boto3 in the same environment."""
    cli = Path(sys.executable).with_name("aws")
    if not cli.exists():
        pytest.skip("the AWS CLI is not installed beside this Python")
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": anna[0], "AWS_SECRET_ACCESS_KEY": anna[1], "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_STS": sts_server.endpoint,
    }  # fmt: skip
    out = subprocess.run([sys.executable, str(cli), "sts", "get-caller-identity"], env=environment, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout)["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/anna"


def test_session_token_of_the_root(sts_server):
    answer = sts(sts_server, (ACCESS_KEY_ID, SECRET_ACCESS_KEY)).get_session_token()
    key = key_of(answer)
    assert key[0].startswith("ASIA") and len(key[0]) == 20 and len(key[1]) == 40
    left = answer["Credentials"]["Expiration"] - datetime.now(timezone.utc)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    client = rekognition(sts_server, key)
    client.create_collection(CollectionId="of-the-session")
    assert "of-the-session" in client.list_collections()["CollectionIds"]
    client.delete_collection(CollectionId="of-the-session")


def test_permissions_of_a_role(sts_server, anna):
    """The role's permissions count, not those of the user who assumed it, and a session policy takes from them."""
    client = sts(sts_server, anna)
    assert refused(sts_server.client(*anna).list_collections) == "AccessDeniedException"
    reader = rekognition(sts_server, key_of(client.assume_role(RoleArn=ROLE + "readers", RoleSessionName="door")))
    assert reader.list_collections()["CollectionIds"] == []
    assert refused(reader.create_collection, CollectionId="x") == "AccessDeniedException"
    restricted = rekognition(sts_server, key_of(client.assume_role(
        RoleArn=ROLE + "people", RoleSessionName="door",
        Policy=json.dumps({"Statement": {"Effect": "Allow", "Action": "rekognition:ListCollections", "Resource": "*"}}),
    )))  # fmt: skip
    assert restricted.list_collections()["CollectionIds"] == []
    with pytest.raises(ClientError, match="because no session policy allows the rekognition:CreateCollection action"):
        restricted.create_collection(CollectionId="x")


def test_tags_of_a_session_in_a_policy(sts_server, anna, tmp_path):
    """A role whose sessions may use the collections of their own team alone."""
    policy = {"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "rekognition:*Collection",
        "Resource": f"arn:aws:rekognition:*:{ACCOUNT}:collection/${{aws:PrincipalTag/team}}-*",
    }}  # fmt: skip
    recollect(sts_server, "roles", "create", "teams", "--trust",
              document(tmp_path, "trust", trust({"AWS": ACCOUNT}, ["sts:AssumeRole", "sts:TagSession"])),
              "--policy", document(tmp_path, "own", policy))  # fmt: skip
    client = sts(sts_server, sts_server.create_key("tagger", "--policy", document(tmp_path, "all", {
        "Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:*", "Resource": "*"},
    })))  # fmt: skip
    team = rekognition(sts_server, key_of(client.assume_role(
        RoleArn=ROLE + "teams", RoleSessionName="door", Tags=[{"Key": "team", "Value": "doors"}],
    )))  # fmt: skip
    assert refused(team.describe_collection, CollectionId="doors-1") == "ResourceNotFoundException"
    assert refused(team.describe_collection, CollectionId="windows-1") == "AccessDeniedException"


def test_web_identities_that_are_refused(sts_server, issuer):
    client = sts(sts_server, ("unused", "unused"))

    def code(role="pods", **claims) -> str:
        return refused(client.assume_role_with_web_identity, RoleArn=ROLE + role, RoleSessionName="pod",
                       WebIdentityToken=issuer.token(**claims))  # fmt: skip

    assert code(sub="pod:other") == "AccessDenied"
    assert code(role="people") == "AccessDenied"
    assert code(aud="another") == "InvalidIdentityToken"
    assert code(iss="https://id.example.com") == "InvalidIdentityToken"
    assert code(exp=int(time.time()) - 1) == "ExpiredTokenException"
    assert refused(client.assume_role_with_web_identity, RoleArn=ROLE + "pods", RoleSessionName="pod",
                   WebIdentityToken=Issuer(1024).token()) == "InvalidIdentityToken"  # fmt: skip


def test_tokens_that_are_refused(sts_server, anna, tmp_path):
    """Of another server, truncated, altered, and with another key."""
    key = key_of(sts(sts_server, anna).assume_role(RoleArn=ROLE + "people", RoleSessionName="door"))
    assert rekognition(sts_server, key).list_collections()["CollectionIds"] == []
    other = Server(tmp_path / "other").start()
    try:
        foreign = key_of(sts(other, (ACCESS_KEY_ID, SECRET_ACCESS_KEY)).get_session_token())
    finally:
        other.stop()
    middle = len(key[2]) // 2
    altered = key[2][:middle] + ("A" if key[2][middle] != "A" else "B") + key[2][middle + 1 :]
    for bad in (
        foreign,
        (key[0], key[1], key[2][:-1]),
        (key[0], key[1], altered),
        (key[0], key[1], "token"),
        (foreign[0], foreign[1], key[2]),
        (anna[0], anna[1], key[2]),
    ):
        assert refused(rekognition(sts_server, bad).list_collections) == "UnrecognizedClientException"
        assert refused(sts(sts_server, bad).get_caller_identity) == "InvalidClientTokenId"
    wrong = (key[0], key[1][:-1] + ("A" if key[1][-1] != "A" else "B"), key[2])
    assert refused(rekognition(sts_server, wrong).list_collections) == "InvalidSignatureException"
    assert refused(sts(sts_server, wrong).get_caller_identity) == "SignatureDoesNotMatch"
    assert refused(rekognition(sts_server, (key[0], key[1], None)).list_collections) == "UnrecognizedClientException"


def until_refused(call) -> str:
    """What the server has in memory of keys and roles is out of date within a second."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            call()
        except ClientError as e:
            return e.response["Error"]["Code"]
        time.sleep(0.05)
    raise AssertionError("the session goes on")


def test_what_ends_sessions(sts_server, tmp_path):
    trusted = document(tmp_path, "trust", trust({"AWS": ACCOUNT}, "sts:AssumeRole"))
    permission = document(tmp_path, "assume", ASSUME)
    recollect(sts_server, "roles", "create", "short", "--trust", trusted, "--policy", "read-only")
    key = sts_server.create_key("berta", "--policy", permission)

    def session():
        client = rekognition(sts_server, key_of(sts(sts_server, key).assume_role(RoleArn=ROLE + "short", RoleSessionName="door")))
        client.list_collections()
        return client.list_collections

    call = session()
    recollect(sts_server, "roles", "revoke-sessions", "short")
    assert until_refused(call) == "UnrecognizedClientException"
    call = session()
    recollect(sts_server, "keys", "revoke-sessions", "berta")
    assert until_refused(call) == "UnrecognizedClientException"
    call = session()
    recollect(sts_server, "keys", "disable", key[0])
    assert until_refused(call) == "UnrecognizedClientException"
    recollect(sts_server, "keys", "delete-user", "berta")
    key = sts_server.create_key("berta", "--policy", permission)
    call = session()
    recollect(sts_server, "roles", "delete", "short")
    assert until_refused(call) == "UnrecognizedClientException"


def test_sessions_outlive_a_restart(tmp_path):
    """Tokens are in no memory and in no file of the server."""
    server = Server(tmp_path / "data").start()
    key = key_of(sts(server, (ACCESS_KEY_ID, SECRET_ACCESS_KEY)).get_session_token())
    server.stop()
    server.start()
    try:
        assert rekognition(server, key).list_collections()["CollectionIds"] == []
        for file in (tmp_path / "data").iterdir():
            if file.is_file():
                assert key[1].encode() not in file.read_bytes() and key[2].encode() not in file.read_bytes()
        log = server.log.read_text()
        assert key[1] not in log and key[2] not in log
    finally:
        server.stop()


def test_get_and_wire_form(sts_server):
    """The query protocol by hand: signed GET, the answer's form, and an error's."""
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = Request(body=b"", method="GET", path=path, service="sts", headers={}).sign(sts_server)
    response = request.send(sts_server)
    assert response.status == 200 and response.headers["Content-Type"] == "text/xml"
    text = response.body.decode()
    assert text.startswith('<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">')
    assert f"<Arn>arn:aws:iam::{ACCOUNT}:root</Arn>" in text
    assert f"<RequestId>{response.headers['x-amzn-RequestId']}</RequestId>" in text

    form = urllib.parse.urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"}).encode()
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(sts_server.endpoint, form)
    assert e.value.code == 403
    text = e.value.read().decode()
    assert "<Type>Sender</Type><Code>MissingAuthenticationToken</Code>" in text


def test_roles_are_not_for_the_root(sts_server):
    client = sts(sts_server, (ACCESS_KEY_ID, SECRET_ACCESS_KEY))
    with pytest.raises(ClientError, match="Roles may not be assumed by root accounts."):
        client.assume_role(RoleArn=ROLE + "people", RoleSessionName="door")
