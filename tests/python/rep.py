"""Answers requests, on two ports at once.

    python rep.py [ENDPOINT…]
"""

import sys

import zmq

endpoints = sys.argv[1:] or ["tcp://*:5555", "tcp://*:5556"]

context = zmq.Context()
socket = context.socket(zmq.REP)
for endpoint in endpoints:
    socket.bind(endpoint)

while True:
    message = socket.recv_string()
    print(f"Received request: {message}", flush=True)
    socket.send_string(f"* {message}")
