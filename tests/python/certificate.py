"""Prints the public key in a certificate file, as pyzmq reads it.

    python certificate.py FILE
"""

import sys

import zmq
import zmq.auth

public, secret = zmq.auth.load_certificate(sys.argv[1])
assert secret is None or zmq.curve_public(secret) == public
print(public.decode(), flush=True)
