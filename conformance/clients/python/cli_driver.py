"""Drives the AWS CLI for the conformance suite: reads requests from standard input, one JSON object a line, and answers each on standard output.

Every call is a command line as a person would type it: `aws rekognition index-faces --collection-id c --image-bytes fileb://picture`. The
CLI's own entry point runs it in this process, since a process of its own takes a second to start; a request with `"process": true` gets
that process. Calls at once are processes forked from this one. What the CLI prints is all that is known of the answer: of an error its code
and its message, of a success no status and no request id.
"""

import base64
import contextlib
import datetime
import functools
import io
import json
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import awscli.clidriver
from awscli.botocore import xform_name
from awscli.botocore.model import OperationNotFoundError, Shape
from awscli.customizations.argrename import ARGUMENT_RENAMES

PROGRAM = Path(sys.executable).with_name("aws")

# Which of the CLI's settings a configure request changes.
VARIABLES = {
    "accessKeyId": "AWS_ACCESS_KEY_ID",
    "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "sessionToken": "AWS_SESSION_TOKEN",
    "region": "AWS_DEFAULT_REGION",
    "endpoint": "AWS_ENDPOINT_URL_REKOGNITION",
    "retryMode": "AWS_RETRY_MODE",
    "maxAttempts": "AWS_MAX_ATTEMPTS",
}

SERVICE_ERROR = re.compile(r"An error occurred \((?P<code>[^)]*)\) when calling the \w+ operation(?: \([^)]*\))?: (?P<message>.*)\n", re.DOTALL)
REFUSAL = re.compile(r"^(usage: |Parameter validation failed|Error parsing parameter|invalid literal for|could not convert)", re.MULTILINE)

# A value that begins like this names a file or a page for the CLI, and one that is longer than the kernel's bound on an
# argument does not fit on a command line. Either goes by way of a file.
REFERENCES = ("file://", "fileb://", "http://", "https://")
LONGEST_ARGUMENT = 128 * 1024 - 1  # bytes


class Refusal(Exception):
    """A thing that a command line cannot express. Nothing was sent."""


class Driver:
    def __init__(self):
        self.environment = dict(os.environ)
        self.globals: list[str] = []

    def answer(self, request: dict) -> dict:
        run = run_process if request.get("process") else run_here
        arguments = request.get("input", {})
        match request:
            case {"describe": True}:
                return describe()
            case {"configure": settings}:
                self.configure(settings)
                return {"ok": True}
            case {"paginate": operation}:
                options = [f"--page-size={request['pageSize']}"] if "pageSize" in request else []
                answer = call(run, operation, arguments, self.globals + options)
                return {"pages": [answer["output"]]} if "output" in answer else answer
            case {"concurrent": count, "call": operation}:
                with ProcessPoolExecutor(count, multiprocessing.get_context("fork")) as processes:
                    calls = [processes.submit(call, run, operation, arguments, [*self.globals, "--no-paginate"]) for _ in range(count)]
                    return {"answers": [call.result() for call in calls]}
            case {"call": operation}:
                return call(run, operation, arguments, [*self.globals, "--no-paginate"])
        return {"failed": "the request is none that this driver knows"}

    def configure(self, settings: dict) -> None:
        overrides = {variable: str(settings[name]) for name, variable in VARIABLES.items() if name in settings}
        os.environ.clear()
        os.environ.update(self.environment | overrides)
        self.globals = []
        if "timeoutMs" in settings:
            seconds = max(1, round(settings["timeoutMs"] / 1000))  # the CLI takes whole ones
            self.globals = [f"--cli-connect-timeout={seconds}", f"--cli-read-timeout={seconds}"]


def call(run, operation: str, arguments: dict, options: list[str]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        try:
            line = command_line(operation, arguments, Path(folder))
        except Refusal as e:
            return {"refused": str(e)}
        return read(operation, *run(line + options))


def command_line(operation: str, arguments: dict, folder: Path) -> list[str]:
    """The arguments of `aws` for a call. Binary data goes by way of files in the folder."""
    line = ["rekognition", xform_name(operation, "-")]
    for name, value in arguments.items():
        option = "--" + option_name(line[1], name)
        match value:
            case None:
                pass
            case bool():
                line.append(option if value else option.replace("--", "--no-", 1))
            case {"$blob": content}:
                line += [option, "fileb://" + write(folder, base64.b64decode(content))]
            case {"Bytes": {"$blob": content}, **others}:
                if others:
                    line += [option, argument(json.dumps(plain(others)), folder)]
                line += [option + "-bytes", "fileb://" + write(folder, base64.b64decode(content))]
            case {"$float": text}:
                line.append(f"{option}={text}")
            case str():
                value = argument(value, folder)
                line += [f"{option}={value}"] if value.startswith("-") else [option, value]
            case _:
                line += [option, argument(json.dumps(plain(value)), folder)]
    return line


def option_name(command: str, member: str) -> str:
    name = xform_name(member, "-")
    return ARGUMENT_RENAMES.get(f"rekognition.{command}.{name}", name)


def argument(text: str, folder: Path) -> str:
    if "\0" in text:
        raise Refusal("a command line cannot hold a null character")
    try:
        data = text.encode()
    except UnicodeEncodeError as e:
        raise Refusal(f"a command line cannot hold this text: {e}") from None
    if text.startswith(REFERENCES) or len(data) > LONGEST_ARGUMENT:
        return "file://" + write(folder, data)
    return text


def plain(value):
    """A value for JSON on the command line, where the CLI takes binary data as text and Python's NaN and Infinity for numbers."""
    match value:
        case {"$blob": content}:
            try:
                return base64.b64decode(content).decode()
            except UnicodeDecodeError as e:
                raise Refusal(f"JSON on a command line cannot hold this binary data: {e}") from None
        case {"$float": text}:
            return float(text)
        case dict():
            return {name: plain(member) for name, member in value.items()}
        case list():
            return [plain(item) for item in value]
    return value


def write(folder: Path, data: bytes) -> str:
    path = folder / f"value-{len(os.listdir(folder))}"
    path.write_bytes(data)
    return str(path)


def run_here(line: list[str]) -> tuple[int, str, str]:
    """Runs the CLI in this process: its exit status, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli = awscli.clidriver.create_clidriver()
            cli.session.register_component("data_loader", data_loader())
            status = cli.main(line)
        except SystemExit as e:
            status = e.code
    logging.getLogger("awscli").handlers.clear()  # each run adds one, to its own standard error
    return status, out.getvalue(), err.getvalue()


def run_process(line: list[str]) -> tuple[int, str, str]:
    result = subprocess.run([PROGRAM, *line], capture_output=True, text=True, encoding="utf-8", stdin=subprocess.DEVNULL)
    return result.returncode, result.stdout, result.stderr


def read(operation: str, status: int, out: str, err: str) -> dict:
    """What the CLI printed, as an answer."""
    if status == 0:
        return {"output": encode(json.loads(out or "{}"), output_shape(operation))}
    if error := SERVICE_ERROR.search(err):
        return {"error": {"code": error["code"], "message": error["message"]}}
    if status == 2 or REFUSAL.search(err):
        return {"refused": err.strip()}
    return {"failed": err.strip() or f"the CLI ended with {status}"}


@functools.cache
def data_loader():
    """What reads the CLI's own files, and keeps what it has read: models and endpoints take most of a run's time."""
    return awscli.clidriver.create_clidriver().session.get_component("data_loader")


@functools.cache
def output_shape(operation: str) -> Shape | None:
    try:
        return awscli.clidriver.create_clidriver().session.get_service_model("rekognition").operation_model(operation).output_shape
    except OperationNotFoundError:
        return None


def encode(value, shape: Shape | None):
    """What the CLI prints, with the members marked that are binary data or timestamps by its own model."""
    match shape and shape.type_name, value:
        case "blob", str():
            return {"$blob": value}
        case "timestamp", str():
            return datetime.datetime.fromisoformat(value).timestamp()
        case "structure", dict():
            return {name: encode(member, shape.members.get(name)) for name, member in value.items()}
        case "map", dict():
            return {name: encode(member, shape.value) for name, member in value.items()}
        case "list", list():
            return [encode(item, shape.member) for item in value]
    return value


def describe() -> dict:
    _, out, err = run_process(["--version"])
    words = dict(word.split("/", 1) for word in (out or err).split() if "/" in word)
    return {"client": "aws-cli", "version": words["aws-cli"], "runtime": f"Python {words['Python']}"}


def main():
    driver = Driver()
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"id": request["id"]} | driver.answer(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
