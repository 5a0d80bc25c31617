"""Signature Version 4: who is let in, and what the others are told."""

import datetime
import re

import pytest
from botocore.exceptions import ClientError

from server import SECRET_ACCESS_KEY
from wire import Request, call

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
    "signing method. Consult the service documentation for details."
)


def refused(client) -> tuple[str, str]:
    with pytest.raises(ClientError) as e:
        client.list_collections()
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]


def test_wrong_secret(server):
    assert refused(server.client(secret_access_key=SECRET_ACCESS_KEY + "x")) == ("InvalidSignatureException", MISMATCH)


def test_unknown_key(server):
    assert refused(server.client(access_key_id="AKIANOBODYHASTHISKEY")) == (
        "UnrecognizedClientException", "The security token included in the request is invalid.",
    )  # fmt: skip


def test_unknown_session_token(server):
    assert refused(server.client(session_token="token"))[0] == "UnrecognizedClientException"


def test_wrong_region(server):
    assert refused(server.client(region="eu-west-1")) == (
        "InvalidSignatureException", "Credential should be scoped to a valid region, not 'eu-west-1'.",
    )  # fmt: skip


def test_wrong_service(server):
    assert call(server, "ListCollections", b"{}", service="s3").error == (
        "InvalidSignatureException", "Credential should be scoped to correct service: 'rekognition'.",
    )  # fmt: skip


@pytest.mark.parametrize("minutes", [-4.5, 4.5])
def test_clock_within_five_minutes(server, minutes):
    assert call(server, "ListCollections", b"{}", skew=datetime.timedelta(minutes=minutes)).status == 200


@pytest.mark.parametrize("minutes, message", [
    (-6, r"Signature expired: (\d{8}T\d{6}Z) is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)"),
    (-60 * 24 * 400, r"Signature expired: .*"),
    (6, r"Signature not yet current: (\d{8}T\d{6}Z) is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)"),
])  # fmt: skip
def test_clock_skew(server, minutes, message):
    response = call(server, "ListCollections", b"{}", skew=datetime.timedelta(minutes=minutes))
    assert response.status == 400
    name, text = response.error
    assert name == "InvalidSignatureException" and re.fullmatch(message, text)


def test_no_signature(server):
    response = Request(headers={"X-Amz-Target": "RekognitionService.ListCollections"}).send(server)
    assert response.status == 400
    assert response.error == ("MissingAuthenticationTokenException", "Missing Authentication Token")
    assert set(response.json) == {"__type", "message"}


@pytest.mark.parametrize("authorization", ["Basic dTpw", "Bearer token", "AWS AKIA:sig", "\u00e9"])
def test_other_authorization(server, authorization):
    request = Request().sign(server)
    request.headers["Authorization"] = authorization
    assert request.send(server).error[0] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("old, new, name", [
    (r", Signature=\w+", "", "IncompleteSignatureException"),
    (r"Credential=[^,]*, ", "", "IncompleteSignatureException"),
    (r"SignedHeaders=[^,]*, ", "", "IncompleteSignatureException"),
    (r"=", "", "IncompleteSignatureException"),
    (r"/aws4_request", "", "IncompleteSignatureException"),
    (r"AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512", "IncompleteSignatureException"),
    (r"host;", "", "InvalidSignatureException"),
    (r";x-amz-target", "", "InvalidSignatureException"),
    (r";x-amz-date", "", "InvalidSignatureException"),
    (r"aws4_request", "aws5_request", "InvalidSignatureException"),
    (r"Signature=\w+", "Signature=" + "0" * 64, "InvalidSignatureException"),
    (r"Signature=\w+", "Signature=x", "InvalidSignatureException"),
    (r"Credential=\w+", "Credential=", "UnrecognizedClientException"),
    (r"Credential=\w+", "Credential=" + "A" * 4000, "UnrecognizedClientException"),
    (r"^.*$", "AWS4-HMAC-SHA256 " + "," * 30000, "IncompleteSignatureException"),
])  # fmt: skip
def test_altered_authorization(server, old, new, name):
    request = Request().sign(server)
    altered = re.sub(old, new, request.headers["Authorization"])
    assert altered != request.headers["Authorization"]
    request.headers["Authorization"] = altered
    response = request.send(server)
    assert (response.status, response.error[0]) == (400, name)
    assert SECRET_ACCESS_KEY not in response.body.decode()


def test_headers_over_the_limit(server):
    """A header of 100 KB is refused by the HTTP server itself."""
    request = Request().sign(server)
    request.headers["X-Long"] = "x" * 100_000
    assert request.send(server).status == 431


@pytest.mark.parametrize("change", ["body", "target", "date", "host", "added header", "content hash"])
def test_changed_after_signing(server, change):
    request = Request().sign(server)
    match change:
        case "body":
            request.body = b"{ }"
        case "target":
            request.headers["X-Amz-Target"] = "RekognitionService.DeleteCollection"
        case "date":
            at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=30)
            request.headers["X-Amz-Date"] = at.strftime("%Y%m%dT%H%M%SZ")
        case "host":
            request.headers["Host"] = "example.com"
        case "added header":
            request.headers["X-Amz-Meta"] = "1"
        case "content hash":
            request = Request(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}).sign(server)
    response = request.send(server)
    assert (response.status, response.error[0]) == (400, "InvalidSignatureException")


def test_signed_twice_is_served_twice(server):
    """The same request again within five minutes is answered again: operations are protected by their own rules."""
    request = Request().sign(server)
    assert request.send(server).status == request.send(server).status == 200


def test_unknown_callers_cost_nothing(server):
    """The body of a caller without a key is not read."""
    request = Request(body=b"{}", access_key_id="AKIANOBODYHASTHISKEY").sign(server)
    request.headers["Content-Length"] = str(15 << 20)  # and sends two bytes of it
    assert request.send(server).error[0] == "UnrecognizedClientException"


def test_no_secret_in_the_log(server):
    server.client().list_collections()
    log = server.log.read_text()
    assert "ListCollections" in log
    assert SECRET_ACCESS_KEY not in log and "Signature=" not in log
