"""Sends each line of input as a request and prints the reply.

    python req.py [ENDPOINT or PORT]
"""

import sys

import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "5555"
if endpoint.isdigit():
    endpoint = f"tcp://localhost:{endpoint}"

context = zmq.Context()
socket = context.socket(zmq.REQ)
socket.connect(endpoint)

for line in sys.stdin:
    message = line.rstrip("\n")
    if not message:
        break
    socket.send_string(message)
    print(f"> {socket.recv_string()}", flush=True)
