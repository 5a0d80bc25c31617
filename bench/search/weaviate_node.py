"""A single Weaviate node as a peer: a server of its own, asked over gRPC, as its clients ask. It listens on loopback as far as it can be told."""
import atexit
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
from weaviate.proto.v1 import base_search_pb2, batch_pb2, search_get_pb2, weaviate_pb2_grpc

CORES = os.cpu_count()
GRAPH = {"maxConnections": 16, "efConstruction": 100, "distance": "dot"}


class Weaviate:
    def __init__(self, program, k):
        self.k, self.n = k, 0
        self.folder = tempfile.mkdtemp(dir=os.path.dirname(program))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.port, grpc_port, *others = free_ports(6)
        environment = {
            "PATH": os.environ["PATH"],
            "DISABLE_TELEMETRY": "true",
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
            "DEFAULT_VECTORIZER_MODULE": "none",
            "PERSISTENCE_DATA_PATH": self.folder,
            "CLUSTER_HOSTNAME": "node1",
            "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
            "CLUSTER_BIND_ADDR": "127.0.0.1",
            "GO_PROFILING_DISABLE": "true",
            "DISK_USE_READONLY_PERCENTAGE": "0",
            "LOG_LEVEL": "error",
            "GRPC_PORT": str(grpc_port),
        }
        for name, port in zip(("CLUSTER_GOSSIP_BIND_PORT", "CLUSTER_DATA_BIND_PORT", "RAFT_PORT", "RAFT_INTERNAL_RPC_PORT"), others):
            environment[name] = str(port)
        environment["RAFT_BOOTSTRAP_EXPECT"] = "1"
        command = [program, "--scheme", "http", "--host", "127.0.0.1", "--port", str(self.port)]
        self.server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        atexit.register(self.stop)
        self.wait()
        self.request("POST", "/v1/schema", {"class": "Face", "vectorizer": "none", "vectorIndexConfig": GRAPH})
        self.channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}", options=[("grpc.max_send_message_length", -1)])
        self.stub = weaviate_pb2_grpc.WeaviateStub(self.channel)
        # What a client does around a call is not the server's time: requests are encoded before, and answers decoded when they are needed.
        self.call = self.channel.unary_unary("/weaviate.v1.Weaviate/Search")
        self.encoded = {}

    def stop(self):
        self.server.terminate()
        self.server.wait()

    def wait(self):
        for _ in range(600):
            if self.server.poll() is not None:
                raise RuntimeError(f"weaviate-server ended with {self.server.returncode}")
            try:
                self.request("GET", "/v1/.well-known/ready")
                return
            except urllib.error.URLError:
                time.sleep(0.1)
        raise RuntimeError("weaviate-server is not ready after a minute")

    def request(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        r = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(r, timeout=600) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def pid(self):
        return self.server.pid

    def add(self, vectors):
        def batch(at):
            objects = [
                batch_pb2.BatchObject(uuid=str(uuid.UUID(int=self.n + at + i + 1)), collection="Face", vector_bytes=v.tobytes())
                for i, v in enumerate(vectors[at : at + 500])
            ]
            reply = self.stub.BatchObjects(batch_pb2.BatchObjectsRequest(objects=objects))
            if reply.errors:
                raise RuntimeError(reply.errors[0].error)

        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(batch, range(0, len(vectors), 500)))
        self.n += len(vectors)

    def tune(self, ef):
        face = self.request("GET", "/v1/schema/Face")
        face["vectorIndexConfig"]["ef"] = ef
        self.request("PUT", "/v1/schema/Face", face)

    def search(self, queries, threads=1):
        answers = [self.call(self.encode(q)) for q in queries]
        keys = [[uuid.UUID(r.metadata.id).int - 1 for r in search_get_pb2.SearchReply.FromString(a).results] for a in answers]
        return np.asarray(keys)

    def ask(self, query, threads=1):
        """Searches without looking at the answer."""
        self.call(self.encode(query))

    def encode(self, query):
        key = query.tobytes()
        if key not in self.encoded:
            self.encoded[key] = search_get_pb2.SearchRequest(
                collection="Face", limit=self.k, metadata=search_get_pb2.MetadataRequest(uuid=True), uses_123_api=True, uses_125_api=True, uses_127_api=True,
                near_vector=base_search_pb2.NearVector(vectors=[], vector_bytes=key),
            ).SerializeToString()
        return self.encoded[key]


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
