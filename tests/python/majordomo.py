"""A worker and a client of the Majordomo Protocol (RFC 7), in as few lines as it takes."""

import sys

import zmq

READY, REQUEST, REPLY, HEARTBEAT, DISCONNECT = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


def worker(endpoint, service):
    while True:
        serve(endpoint, service)


def serve(endpoint, service):
    """Returns when the broker says goodbye, or nothing for a while."""
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    with dealer:
        dealer.rcvtimeo = 1000
        dealer.linger = 0
        dealer.connect(endpoint)
        dealer.send_multipart([b"", b"MDPW01", READY, service])
        while True:
            try:
                _, _, command, *rest = dealer.recv_multipart()
            except zmq.Again:
                return
            if command == REQUEST:
                client, _, text = rest
                reply = text.upper() + b" by python"
                dealer.send_multipart([b"", b"MDPW01", REPLY, client, b"", reply])
            elif command == HEARTBEAT:
                dealer.send_multipart([b"", b"MDPW01", HEARTBEAT])
            elif command == DISCONNECT:
                return


def client(endpoint, service):
    req = zmq.Context.instance().socket(zmq.REQ)
    req.connect(endpoint)
    for line in sys.stdin:
        req.send_multipart([b"MDPC01", service, line.rstrip("\n").encode()])
        header, name, answer = req.recv_multipart()
        assert (header, name) == (b"MDPC01", service)
        print(answer.decode(), flush=True)


role, endpoint, service = sys.argv[1:]
{"worker": worker, "client": client}[role](endpoint, service.encode())
