"""Requests written by hand: what no SDK would send."""

import datetime
import http.client
import json
from dataclasses import dataclass, field
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server

CONTENT_TYPE = "application/x-amz-json-1.1"


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[str, str]:
        """Exception and message, by the rules that SDKs read either envelope with."""
        j = self.json
        return j["__type"], j.get("message", j.get("Message", ""))


@dataclass
class Request:
    """A request to the API. Its parts may be changed before and after it is signed."""

    operation: str = "ListCollections"
    body: bytes = b"{}"
    method: str = "POST"
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    access_key_id: str = ACCESS_KEY_ID
    secret_access_key: str = SECRET_ACCESS_KEY
    region: str = REGION
    service: str = "rekognition"
    skew: datetime.timedelta = datetime.timedelta()  # of the caller's clock

    def sign(self, server: Server) -> "Request":
        self.headers = {
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Target": f"RekognitionService.{self.operation}",
        } | self.headers
        request = AWSRequest(self.method, server.endpoint + self.path, headers=self.headers, data=self.body)
        now = datetime.datetime.now(datetime.timezone.utc) + self.skew
        with mock.patch("botocore.auth.get_current_datetime", return_value=now):
            SigV4Auth(Credentials(self.access_key_id, self.secret_access_key), self.service, self.region).add_auth(request)
        self.headers = dict(request.headers.items())
        return self

    def send(self, server: Server) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        try:
            try:
                connection.request(self.method, self.path, self.body, self.headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server may answer, and hang up, before it has read all
            r = connection.getresponse()
            return Response(r.status, r.headers, r.read())
        finally:
            connection.close()


def call(server: Server, operation: str, body: bytes | dict, **parts) -> Response:
    """Sends a signed request."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    return Request(operation, body, **parts).sign(server).send(server)
