"""Hands out a batch of jobs at every line of input.

    python ventilator.py JOBS [WORKERS_ENDPOINT] [SINK_ENDPOINT]
"""

import sys

import zmq

jobs = int(sys.argv[1])
workers_endpoint = sys.argv[2] if len(sys.argv) > 2 else "tcp://*:5001"
sink_endpoint = sys.argv[3] if len(sys.argv) > 3 else "tcp://localhost:5000"

context = zmq.Context()
workers = context.socket(zmq.PUSH)
workers.bind(workers_endpoint)
sink = context.socket(zmq.PUSH)
sink.connect(sink_endpoint)

for _ in sys.stdin:
    sink.send_string("Go")
    for job in range(jobs):
        print(f"Send job {job}", flush=True)
        workers.send_string(f"job {job}")
