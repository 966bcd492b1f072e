"""Prints what the ventilator and the workers report.

    python sink.py [ENDPOINT]
"""

import sys

import zmq

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://*:5000"

context = zmq.Context()
socket = context.socket(zmq.PULL)
socket.bind(endpoint)

while True:
    print(f"sink > {socket.recv_string()}", flush=True)
