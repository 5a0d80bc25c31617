"""An attendance desk: people are enrolled with a name and a picture, and check in with another picture.

    AWS_ENDPOINT_URL_REKOGNITION=http://127.0.0.1:7180 python attendance.py attendance.csv

It is an example of Recollect's API, a page long. It serves this machine alone, on port 8080 or that of PORT:

    curl --data-binary @anna.jpg http://127.0.0.1:8080/enrol/Anna
    curl --data-binary @door.jpg http://127.0.0.1:8080/check-in
    curl http://127.0.0.1:8080/attendance
"""

import csv
import datetime
import http.server
import json
import os
import re
import sys
from pathlib import Path

import boto3

COLLECTION = "attendance"
THRESHOLD = 99  # about one stranger in a million is taken for somebody else
MOST = 5 << 20  # bytes of a picture

rekognition = boto3.client("rekognition")
ledger = Path(sys.argv[1] if len(sys.argv) > 1 else "attendance.csv")


class Refused(Exception):
    """What the person at the desk is told."""


def enrol(name, picture):
    """Makes a person known by one more picture."""
    if not re.fullmatch(r"[\w.:-]{1,128}", name, re.ASCII):
        raise Refused("a name has letters, digits, and _ . - :")
    added = rekognition.index_faces(CollectionId=COLLECTION, Image={"Bytes": picture}, MaxFaces=1, QualityFilter="AUTO")
    if not added["FaceRecords"]:
        raise Refused("there is no face in the picture that is good enough")
    try:
        rekognition.create_user(CollectionId=COLLECTION, UserId=name)
    except rekognition.exceptions.ConflictException:
        pass  # one more picture
    face = added["FaceRecords"][0]["Face"]["FaceId"]
    result = rekognition.associate_faces(CollectionId=COLLECTION, UserId=name, FaceIds=[face], UserMatchThreshold=80)
    if result["UnsuccessfulFaceAssociations"]:
        rekognition.delete_faces(CollectionId=COLLECTION, FaceIds=[face])
        raise Refused(f"this is not {name}")
    return {"enrolled": name}


def check_in(picture):
    """Finds who is in a picture, and writes it down."""
    found = rekognition.search_users_by_image(CollectionId=COLLECTION, Image={"Bytes": picture}, UserMatchThreshold=THRESHOLD, MaxUsers=1)
    if "SearchedFace" not in found:
        raise Refused("there is no face in the picture")
    if not found["UserMatches"]:
        return {"name": None}
    name, when = found["UserMatches"][0]["User"]["UserId"], datetime.datetime.now().isoformat(timespec="seconds")
    with ledger.open("a", newline="") as file:
        csv.writer(file).writerow([when, name])
    return {"name": name, "when": when, "similarity": found["UserMatches"][0]["Similarity"]}


def attendance():
    """Everybody's first check-in of each day."""
    first = {}
    for when, name in csv.reader(ledger.open()) if ledger.exists() else []:
        first.setdefault((when[:10], name), when)
    return [{"day": day, "name": name, "first": when} for (day, name), when in sorted(first.items())]


class Desk(http.server.BaseHTTPRequestHandler):
    def answer(self, act, *args):
        status, body = 200, None
        try:
            body = act(*args)
        except Refused as why:
            status, body = 422, {"refused": str(why)}
        except rekognition.exceptions.ClientError as error:
            status, body = 422, {"refused": error.response["Error"]["Message"]}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(attendance) if self.path == "/attendance" else self.send_error(404)

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        if size > MOST:
            return self.send_error(413)
        picture = self.rfile.read(size)
        if self.path == "/check-in":
            return self.answer(check_in, picture)
        if self.path.startswith("/enrol/"):
            return self.answer(enrol, self.path.removeprefix("/enrol/"), picture)
        self.send_error(404)


if __name__ == "__main__":
    if COLLECTION not in rekognition.list_collections()["CollectionIds"]:
        rekognition.create_collection(CollectionId=COLLECTION)
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8080))), Desk) as desk:
        print(f"the desk is at http://127.0.0.1:{desk.server_port}", flush=True)
        desk.serve_forever()
