"""Drives boto3 for the conformance suite: reads requests from standard input, one JSON object a line, and answers each on standard output.

It calls boto3 as anybody does and expects nothing of the answers.
"""

import base64
import datetime
import json
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError


class Driver:
    def __init__(self):
        self.client = make_client({})

    def answer(self, request: dict) -> dict:
        match request:
            case {"describe": True}:
                return {"client": "boto3", "version": boto3.__version__, "runtime": f"Python {platform.python_version()}"}
            case {"configure": settings}:
                return outcome(lambda: self.configure(settings))
            case {"paginate": operation}:
                return outcome(lambda: self.paginate(operation, decode(request["input"]), request.get("pageSize")))
            case {"concurrent": count, "call": operation}:
                arguments = decode(request["input"])
                with ThreadPoolExecutor(count) as threads:
                    calls = [threads.submit(outcome, lambda: self.call(operation, arguments)) for _ in range(count)]
                return {"answers": [call.result() for call in calls]}
            case {"call": operation}:
                return outcome(lambda: self.call(operation, decode(request["input"])))
        return {"failed": "the request is none that this driver knows"}

    def configure(self, settings: dict) -> dict:
        self.client = make_client(settings)
        return {"ok": True}

    def call(self, operation: str, arguments: dict) -> dict:
        response = getattr(self.client, xform_name(operation))(**arguments)
        metadata = response.pop("ResponseMetadata")
        return {"output": encode(response), "status": metadata["HTTPStatusCode"], "requestId": metadata.get("RequestId")}

    def paginate(self, operation: str, arguments: dict, page_size: int | None) -> dict:
        paginator = self.client.get_paginator(xform_name(operation))
        pages = []
        for page in paginator.paginate(**arguments, PaginationConfig={"PageSize": page_size}):
            page.pop("ResponseMetadata")
            pages.append(encode(page))
        return {"pages": pages}


def make_client(settings: dict):
    """A client from the environment, but for what the settings say."""
    config = {}
    if "timeoutMs" in settings:
        config |= {"connect_timeout": settings["timeoutMs"] / 1000, "read_timeout": settings["timeoutMs"] / 1000}
    retries = {}
    if "retryMode" in settings:
        retries["mode"] = settings["retryMode"]
    if "maxAttempts" in settings:
        retries["total_max_attempts"] = settings["maxAttempts"]
    if retries:
        config["retries"] = retries
    # boto3 takes a key as a whole from one place: if a part of it is given, the others are given as well.
    key = {}
    if {"accessKeyId", "secretAccessKey", "sessionToken"} & settings.keys():
        key = {
            "aws_access_key_id": settings.get("accessKeyId", os.environ.get("AWS_ACCESS_KEY_ID")),
            "aws_secret_access_key": settings.get("secretAccessKey", os.environ.get("AWS_SECRET_ACCESS_KEY")),
            "aws_session_token": settings.get("sessionToken", os.environ.get("AWS_SESSION_TOKEN")),
        }
    return boto3.session.Session().client(
        "rekognition", region_name=settings.get("region"), endpoint_url=settings.get("endpoint"), config=Config(**config), **key
    )


def outcome(call) -> dict:
    """What a call gives, or how it fails."""
    try:
        return call()
    except ClientError as e:
        error = e.response["Error"]
        metadata = e.response.get("ResponseMetadata", {})
        return {
            "error": {
                "code": error.get("Code", ""),
                "message": error.get("Message", ""),
                "status": metadata.get("HTTPStatusCode", 0),
                "requestId": metadata.get("RequestId"),
                "modelled": type(e) is not ClientError,
            }
        }
    except ParamValidationError as e:
        return {"refused": str(e)}
    except Exception as e:
        return {"failed": f"{type(e).__name__}: {e}"}


def decode(value):
    """The wire's JSON as boto3 takes it."""
    match value:
        case {"$blob": content} if len(value) == 1:
            return base64.b64decode(content)
        case {"$float": text} if len(value) == 1:
            return float(text)
        case dict():
            return {name: decode(member) for name, member in value.items()}
        case list():
            return [decode(member) for member in value]
    return value


def encode(value):
    """What boto3 returns as JSON."""
    match value:
        case bytes():
            return {"$blob": base64.b64encode(value).decode()}
        case datetime.datetime():
            return value.timestamp()
        case dict():
            return {name: encode(member) for name, member in value.items()}
        case list():
            return [encode(member) for member in value]
    return value


def main():
    driver = Driver()
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"id": request["id"]} | driver.answer(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
