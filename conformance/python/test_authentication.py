"""Signature Version 4: who is let in, and what the others are told."""

import datetime
import hashlib
import hmac
import http.client
import re
import socket

import pytest
from botocore.exceptions import ClientError

from server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from wire import Request, Response, call

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


def send_raw(server, head: list[str], body: bytes = b"{}", encoding: str = "utf-8"):
    """Sends a request line by line, which no HTTP library would."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as s:
        s.sendall("\r\n".join(["POST / HTTP/1.1", *head, "", ""]).encode(encoding) + body)
        response = http.client.HTTPResponse(s)
        response.begin()
        return Response(response.status, response.headers, response.read())


def head_of(request: Request) -> dict[str, str]:
    """The headers of a signed request, as they go on the wire."""
    return request.headers | {"Content-Length": str(len(request.body))}


def lines(headers: dict[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in headers.items()]


def signed_with_host(server, **headers) -> Request:
    return Request(headers={"Host": f"127.0.0.1:{server.port}"} | headers).sign(server)


@pytest.mark.parametrize("old, new, name", [
    (r"SignedHeaders=[^,]*", "SignedHeaders=", "IncompleteSignatureException"),
    (r"Signature=\w+", "Signature=", "IncompleteSignatureException"),
    (r"(Signature=\w+)", r"\1, \1", "IncompleteSignatureException"),
    (r"(Credential=[^,]*)", r"\1, \1", "IncompleteSignatureException"),
    (r"(SignedHeaders=[^,]*)", r"\1, \1", "IncompleteSignatureException"),
    (r"content-type;host", "host;content-type", "IncompleteSignatureException"),
    (r"content-type;host", "content-type; host", "IncompleteSignatureException"),
    (r"content-type;host", "Content-Type;host", "IncompleteSignatureException"),
    (r"content-type;host", "content-type;host;host", "IncompleteSignatureException"),
    (r"content-type;host", ";content-type;host", "IncompleteSignatureException"),
    (r",", ";", "IncompleteSignatureException"),
    (r",", "", "IncompleteSignatureException"),
    (r"Credential=", "Credential =", "IncompleteSignatureException"),
    (r"AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256", "IncompleteSignatureException"),
    (r"AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256,", "IncompleteSignatureException"),
    (r"AWS4-HMAC-SHA256", "aws4-hmac-sha256", "MissingAuthenticationTokenException"),
    (r"Credential=(\w+)/", r"Credential=\1/x/", "IncompleteSignatureException"),
    (r"/\d{8}/", "/20010101/", "InvalidSignatureException"),
    (r"/\d{8}/", "//", "InvalidSignatureException"),
    (r"/us-east-1/", "//", "InvalidSignatureException"),
    (r"/us-east-1/", "/US-EAST-1/", "InvalidSignatureException"),
    (r"/rekognition/", "/Rekognition/", "InvalidSignatureException"),
    (r"content-type;host", "content-type", "InvalidSignatureException"),
    (r"content-type;host", "content-type;host;x-absent", "InvalidSignatureException"),
])  # fmt: skip
def test_malformed_authorization(server, old, new, name):
    request = Request().sign(server)
    altered = re.sub(old, new, request.headers["Authorization"])
    assert altered != request.headers["Authorization"]
    request.headers["Authorization"] = altered
    response = request.send(server)
    assert (response.status, response.error[0]) == (400, name)
    assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["x-amzn-RequestId"])


@pytest.mark.parametrize("change", [
    lambda a: a.replace(", ", ","),
    lambda a: a.replace(", ", ",   "),
    lambda a: a.replace("SHA256 ", "SHA256   "),
    lambda a: "AWS4-HMAC-SHA256 " + ", ".join(reversed(a.removeprefix("AWS4-HMAC-SHA256 ").split(", "))),
])  # fmt: skip
def test_other_spellings_of_authorization(server, change):
    request = Request().sign(server)
    request.headers["Authorization"] = change(request.headers["Authorization"])
    assert request.send(server).status == 200


def test_authorization_twice(server):
    request = signed_with_host(server)
    head = lines(head_of(request)) + [f"Authorization: {request.headers['Authorization']}"]
    assert send_raw(server, head).error[0] == "IncompleteSignatureException"


@pytest.mark.parametrize("date", [None, "", "yesterday", "2026-01-01T00:00:00Z", "20260101", "20260101T000000", "20260230T000000Z"])
def test_missing_or_bad_date(server, date):
    request = signed_with_host(server)
    headers = head_of(request)
    del headers["X-Amz-Date"]
    if date is not None:
        headers["X-Amz-Date"] = date
    assert send_raw(server, lines(headers)).error[0] == "IncompleteSignatureException"


def test_date_instead_of_x_amz_date(server):
    """Signed by hand: botocore has no such mode for this service."""
    now = datetime.datetime.now(datetime.timezone.utc)
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "Date": now.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "Host": f"127.0.0.1:{server.port}",
        "X-Amz-Target": "RekognitionService.ListCollections",
    }
    for signed, want in ((sorted(headers, key=str.lower), 200), (["Content-Type", "Host", "X-Amz-Target"], 400)):
        authorization = sign_by_hand(headers, signed, now)
        response = send_raw(server, lines(headers | {"Authorization": authorization, "Content-Length": "2"}))
        assert response.status == want
    assert response.error == ("InvalidSignatureException", "'date' must be a 'SignedHeader' in the AWS Authorization.")


def sign_by_hand(headers: dict[str, str], signed: list[str], now: datetime.datetime, payload: str | None = None) -> str:
    names = ";".join(name.lower() for name in signed)
    canonical = "".join(f"{name.lower()}:{headers[name]}\n" for name in signed)
    request = f"POST\n/\n\n{canonical}\n{names}\n{payload or hashlib.sha256(b'{}').hexdigest()}"
    scope = f"{now:%Y%m%d}/{REGION}/rekognition/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now:%Y%m%dT%H%M%SZ}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + SECRET_ACCESS_KEY).encode()
    for step in (*scope.split("/"), text):
        key = hmac.digest(key, step.encode(), "sha256")
    return f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders={names}, Signature={key.hex()}"


@pytest.mark.parametrize("word", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 64])
@pytest.mark.parametrize("in_place_of_hash", [True, False])
def test_payload_must_be_signed(server, word, in_place_of_hash):
    """What S3 allows is an error here, also if all is signed as S3 has it."""
    now = datetime.datetime.now(datetime.timezone.utc)
    headers = {
        "Host": f"127.0.0.1:{server.port}",
        "X-Amz-Content-Sha256": word,
        "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
        "X-Amz-Target": "RekognitionService.ListCollections",
    }
    authorization = sign_by_hand(headers, list(headers), now, word if in_place_of_hash else None)
    response = send_raw(server, lines(headers | {"Authorization": authorization, "Content-Length": "2"}))
    assert response.error == (
        "InvalidSignatureException", "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )  # fmt: skip


def test_order_case_and_space_of_headers(server):
    request = signed_with_host(server, **{"X-Amz-Meta": "a b"})
    head = [f"{name.lower()}:   {value.replace('a b', 'a    b')}  " for name, value in reversed(head_of(request).items())]
    assert send_raw(server, head).status == 200


def test_repeated_signed_headers(server):
    request = signed_with_host(server, **{"X-Amz-Meta": "one,two"})
    headers = head_of(request)
    del headers["X-Amz-Meta"]
    assert send_raw(server, lines(headers) + ["X-Amz-Meta: one", "X-Amz-Meta: two"]).status == 200
    assert send_raw(server, lines(headers) + ["X-Amz-Meta: two", "X-Amz-Meta: one"]).error == ("InvalidSignatureException", MISMATCH)


def test_utf_8_in_headers(server):
    request = signed_with_host(server, **{"X-Amz-Meta": "\u00e9\u1234\U0001f600"})
    assert send_raw(server, lines(head_of(request))).status == 200
    request.headers["X-Amz-Meta"] = "e\u0301\u1234\U0001f600"  # the same to the eye
    assert send_raw(server, lines(head_of(request))).error == ("InvalidSignatureException", MISMATCH)


@pytest.mark.parametrize("path", ["/?a=1", "/?b=2&a=1", "/?a=", "/?%E1%88%B4=%2F%20%2B", "/?a=1&a=0"])
def test_query_string_is_signed(server, path):
    request = Request(path=path).sign(server)
    assert request.send(server).status == 200
    request.path += "&c=3"
    assert request.send(server).error == ("InvalidSignatureException", MISMATCH)


@pytest.mark.parametrize("how", ["signed", "unsigned"])
def test_session_token(server, how):
    """A token that is signed and not the server's own is unknown, and one that is not signed is rejected for that."""
    signed = Request(headers={"X-Amz-Security-Token": "token"} if how == "signed" else {}).sign(server)
    signed.headers["X-Amz-Security-Token"] = "token"
    want = "UnrecognizedClientException" if how == "signed" else "InvalidSignatureException"
    assert signed.send(server).error[0] == want


@pytest.mark.parametrize("seconds, ok", [(-290, True), (290, True), (-310, False), (310, False)])
def test_clock_at_the_boundary(server, seconds, ok):
    response = call(server, "ListCollections", b"{}", skew=datetime.timedelta(seconds=seconds))
    assert response.status == (200 if ok else 400)
    if not ok:
        assert response.error[0] == "InvalidSignatureException"
