"""Prints every message that begins with a prefix.

    python subscriber.py [ENDPOINT] [PREFIX]
"""

import sys

import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://localhost:5557"
prefix = sys.argv[2] if len(sys.argv) > 2 else ""

context = zmq.Context()
socket = context.socket(zmq.SUB)
socket.setsockopt_string(zmq.SUBSCRIBE, prefix)
socket.connect(endpoint)

while True:
    print(f"Got: {socket.recv_string()}", flush=True)
