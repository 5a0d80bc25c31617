"""Jobs on stored videos: AWS's own way with a topic and a queue, and servers that are killed in the middle."""

import json
import subprocess
import time

import boto3
import pytest

import pictures
from server import ACCOUNT, REGION, ROOT, Server, environment, free_port
from videos import motion_jpeg

MOTO = ROOT / ".cache" / "moto" / "bin" / "python"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/AmazonRekognitionServiceRole"
WITHIN = 120  # seconds


@pytest.fixture(scope="module")
def aws():
    """A server of SNS, SQS and S3, by which the clients of a service are made."""
    if not MOTO.exists():
        pytest.skip("the server of SNS and SQS is missing; run: make .cache/moto/installed")
    port = free_port()
    process = subprocess.Popen([str(MOTO), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"

    def client(service: str):
        return boto3.client(service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="AKIAMOTO", aws_secret_access_key="secret")

    deadline = time.monotonic() + 60
    while True:
        try:
            client("sns").list_topics()
            break
        except Exception:
            assert process.poll() is None and time.monotonic() < deadline, "the server of SNS and SQS does not answer"
            time.sleep(0.1)
    client.endpoint = endpoint
    yield client
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def people():
    """A video of Alex Penelas, and then of Annette Lu."""
    return motion_jpeg((10, pictures.lfw("Alex_Penelas", 1)), (10, pictures.lfw("Annette_Lu", 1)))


class Detector:
    """The shape of AWS's example for stored videos (VideoDetect): a topic, a queue that subscribes to it, and what waits for the job's message."""

    def __init__(self, aws, rekognition):
        self.sns, self.sqs, self.rekognition = aws("sns"), aws("sqs"), rekognition
        name = f"AmazonRekognitionExample{time.time_ns()}"
        self.topic = self.sns.create_topic(Name=name)["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        queue_arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)

    def channel(self):
        return {"RoleArn": ROLE, "SNSTopicArn": self.topic}

    def messages(self, job: str, within: float = WITHIN) -> list[dict]:
        """The messages about a job, once there is one."""
        deadline = time.monotonic() + within
        found = []
        while not found and time.monotonic() < deadline:
            response = self.sqs.receive_message(QueueUrl=self.queue, MessageAttributeNames=["ALL"], MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in response.get("Messages", []):
                notification = json.loads(message["Body"])
                text = json.loads(notification["Message"])
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                if text["JobId"] == job:
                    found.append(text)
        return found


def publishing_server(aws, tmp_path, *options: str) -> Server:
    """A server that publishes to the topics of aws."""
    server = Server(tmp_path / "data", "--sns-endpoint", aws.endpoint, *options)
    for service in ("S3", "SNS"):
        server.environment |= {f"RECOLLECT_{service}_ACCESS_KEY_ID": "AKIAMOTO", f"RECOLLECT_{service}_SECRET_ACCESS_KEY": "secret"}
    return server.start()


def runs_of(server: Server, job: str) -> int:
    """How often the server has begun to run a job."""
    return sum("a job is run" in line and job in line for line in server.log.read_text().splitlines())


def test_example(aws, people, tmp_path):
    """AWS's example: start, wait for the message, and get the results page by page. Videos are read from S3 by ranges."""
    s3 = aws("s3")
    s3.create_bucket(Bucket="videos")
    s3.put_object(Bucket="videos", Key="a/people.avi", Body=people)
    server = publishing_server(aws, tmp_path, "--s3-endpoint", aws.endpoint)
    try:
        rekognition = server.client()
        detector = Detector(aws, rekognition)
        rekognition.create_collection(CollectionId="people")
        face = rekognition.index_faces(CollectionId="people", Image={"Bytes": pictures.lfw("Alex_Penelas", 2)}, ExternalImageId="alex", MaxFaces=1)["FaceRecords"][0]["Face"]
        job = rekognition.start_face_search(
            Video={"S3Object": {"Bucket": "videos", "Name": "a/people.avi"}}, CollectionId="people", NotificationChannel=detector.channel(), JobTag="example"
        )["JobId"]
        (message,) = detector.messages(job)
        assert abs(message.pop("Timestamp") / 1000 - time.time()) < 600
        assert message == {
            "JobId": job,
            "Status": "SUCCEEDED",
            "API": "StartFaceSearch",
            "JobTag": "example",
            "Video": {"S3ObjectName": "a/people.avi", "S3Bucket": "videos"},
        }
        persons, token, pages = [], "", 0
        while True:
            more = {"NextToken": token} if token else {}
            response = rekognition.get_face_search(JobId=job, MaxResults=3, SortBy="TIMESTAMP", **more)
            assert response["JobStatus"] == "SUCCEEDED" and response["VideoMetadata"]["Format"]
            persons += response["Persons"]
            pages += 1
            if (token := response.get("NextToken", "")) == "":
                break
        assert pages > 1
        found = {m["Face"]["FaceId"] for p in persons for m in p.get("FaceMatches", [])}
        assert found == {face["FaceId"]}
        times = [p["Timestamp"] for p in persons]
        assert times == sorted(times) and times[0] == 0 and times[-1] >= 1000
        # A job that fails is announced as well.
        s3.put_object(Bucket="videos", Key="noise", Body=b"no video" * 100)
        job = rekognition.start_person_tracking(Video={"S3Object": {"Bucket": "videos", "Name": "noise"}}, NotificationChannel=detector.channel())["JobId"]
        (message,) = detector.messages(job)
        assert message["Status"] == "FAILED" and "JobTag" not in message
        assert rekognition.get_person_tracking(JobId=job)["StatusMessage"]
        assert detector.messages(job, within=3) == []
    finally:
        if server.running():
            server.stop()


def test_killed(aws, people, tmp_path):
    """A server that is killed in the middle of a job runs it again: the results are those of one that was not disturbed, and there is one message."""
    bucket = tmp_path / "buckets" / "videos"
    bucket.mkdir(parents=True)
    (bucket / "people.avi").write_bytes(people)
    server = publishing_server(aws, tmp_path, "--s3-root", str(bucket.parent))
    try:
        rekognition = server.client()
        detector = Detector(aws, rekognition)

        def start() -> str:
            return rekognition.start_face_detection(
                Video={"S3Object": {"Bucket": "videos", "Name": "people.avi"}}, NotificationChannel=detector.channel(), FaceAttributes="ALL"
            )["JobId"]

        undisturbed = start()
        assert len(detector.messages(undisturbed)) == 1
        killed = start()
        while not (runs := runs_of(server, killed)):
            time.sleep(0.01)
        server.kill()
        server.start()
        rekognition = server.client()
        (message,) = detector.messages(killed)
        assert message["Status"] == "SUCCEEDED"
        want, got = (rekognition.get_face_detection(JobId=job) for job in (undisturbed, killed))
        assert got["Faces"] == want["Faces"] and got["VideoMetadata"] == want["VideoMetadata"]
        assert len(got["Faces"]) >= 10
        assert detector.messages(killed, within=3) == []
        assert runs_of(server, killed) == runs + 1, "the job was not run again"
    finally:
        if server.running():
            server.stop()
