"""A Weaviate node as a peer of the benchmark: a server of its own on loopback, asked over gRPC."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import weaviate
from weaviate.classes.config import Configure, DataType, Property, Reconfigure, VectorDistances
from weaviate.classes.data import DataObject
from weaviate.proto.v1 import weaviate_pb2 as unused  # noqa: F401
