"""Takes jobs and tells the sink when they are done.

    python worker.py [VENTILATOR_ENDPOINT] [SINK_ENDPOINT]
"""

import sys

import zmq

ventilator_endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://localhost:5001"
sink_endpoint = sys.argv[2] if len(sys.argv) > 2 else "tcp://localhost:5000"

context = zmq.Context()
jobs = context.socket(zmq.PULL)
jobs.connect(ventilator_endpoint)
sink = context.socket(zmq.PUSH)
sink.connect(sink_endpoint)

while True:
    job = jobs.recv_string()
    print(f"got > {job}", flush=True)
    sink.send_string(f"Done with {job}")
