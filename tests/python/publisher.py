"""Publishes `TOPIC CONTENT` for every two lines of input.

    python publisher.py [ENDPOINT]
"""

import sys

import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://*:5557"

context = zmq.Context()
socket = context.socket(zmq.PUB)
socket.bind(endpoint)

while True:
    topic = sys.stdin.readline().rstrip("\n")
    content = sys.stdin.readline().rstrip("\n")
    if not topic:
        break
    socket.send_string(f"{topic} {content}")
