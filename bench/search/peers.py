"""Measures one peer on the vectors in a folder and prints JSON: python peers.py PEER FOLDER WEAVIATE.

The folder has vectors.f32 and queries.f32 (rows of 512 binary32 numbers of unit length) and truth.i64 (the ten best rows of each query).
WEAVIATE is the program of that peer.
"""
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

DIMENSION, K, CLIENTS, CORES = 512, 10, 64, os.cpu_count()


def memory(pid):
    """Bytes of a process that no file backs."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


class FaissFlat:
    def __init__(self, n):
        import faiss

        self.faiss = faiss
        self.index = faiss.IndexFlatIP(DIMENSION)

    def add(self, vectors):
        self.index.add(vectors)

    def search(self, queries, threads=CORES):
        self.faiss.omp_set_num_threads(threads)
        return self.index.search(queries, K)[1]


class FaissHNSW(FaissFlat):
    def __init__(self, n):
        super().__init__(n)
        self.index = self.faiss.IndexHNSWFlat(DIMENSION, 16, self.faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 100

    def tune(self, ef):
        self.index.hnsw.efSearch = ef


class Hnswlib:
    def __init__(self, n):
        import hnswlib

        self.index = hnswlib.Index("ip", DIMENSION)
        self.index.init_index(n, M=16, ef_construction=100)

    def add(self, vectors):
        self.index.add_items(vectors, num_threads=CORES)

    def tune(self, ef):
        self.index.set_ef(ef)

    def search(self, queries, threads=CORES):
        return self.index.knn_query(queries, K, num_threads=threads)[0]


class Usearch:
    def __init__(self, n):
        from usearch.index import Index

        self.index = Index(ndim=DIMENSION, metric="ip", dtype="f32", connectivity=16, expansion_add=100)
        self.n = 0

    def add(self, vectors):
        self.index.add(np.arange(self.n, self.n + len(vectors)), vectors, threads=CORES)
        self.n += len(vectors)

    def tune(self, ef):
        self.index.expansion_search = ef

    def search(self, queries, threads=CORES):
        keys = self.index.search(queries, K, threads=threads).keys
        return np.asarray(keys).reshape(len(queries), -1)


def weaviate(program):
    def start(n):
        from weaviate_node import Weaviate

        return Weaviate(program, K)

    return start


def main(name, folder, program):
    read = lambda file, kind: np.memmap(os.path.join(folder, file), dtype=kind, mode="r")
    vectors = read("vectors.f32", np.float32).reshape(-1, DIMENSION)
    queries = np.array(read("queries.f32", np.float32).reshape(-1, DIMENSION))
    truth = read("truth.i64", np.int64).reshape(-1, K)
    kind = {"faiss flat": FaissFlat, "faiss HNSW": FaissHNSW, "hnswlib": Hnswlib, "usearch": Usearch, "weaviate": weaviate(program)}[name]
    peer = kind(len(vectors))
    pid = peer.pid() if hasattr(peer, "pid") else os.getpid()
    ask = peer.ask if hasattr(peer, "ask") else lambda q, *threads: peer.search(q[None, :], *threads)
    before, start = memory(pid), time.perf_counter()
    for at in range(0, len(vectors), 10_000):
        peer.add(np.ascontiguousarray(vectors[at : at + 10_000]))
    build, used = time.perf_counter() - start, memory(pid) - before

    def recall():
        found = peer.search(queries)
        return float(np.mean([len(set(f) & set(t)) / K for f, t in zip(found.tolist(), truth.tolist())]))

    # The least effort that reaches a recall of 0.99, in doublings.
    ef = 0
    if hasattr(peer, "tune"):
        ef = 32
        peer.tune(ef)
        while recall() < 0.99 and ef < 4096:
            ef *= 2
            peer.tune(ef)
    took = []
    for q in np.concatenate([queries, queries])[:300]:
        start = time.perf_counter()
        ask(q)
        took.append(time.perf_counter() - start)

    # Clients on threads of their own, or batches of as many: what is better for the peer.
    def rate(run):
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < 5:
            count += run()
        return count / (time.perf_counter() - start)

    many = np.resize(queries, (CLIENTS, DIMENSION))
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = rate(lambda: len(list(pool.map(lambda q: ask(q, 1), many))))
    batches = rate(lambda: len(peer.search(many)))
    print(json.dumps({
        "build": build, "memory": used, "recall": recall(), "effort": ef,
        "p50": float(np.percentile(took, 50)), "p99": float(np.percentile(took, 99)), "rate": max(clients, batches),
    }))


if __name__ == "__main__":
    main(*sys.argv[1:])
