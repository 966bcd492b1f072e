"""Prints boxes made by libsodium, for the known answers in `src/wire/mechanism/curve/nacl.rs`.

    python vectors.py

Needs the interpreter of the interoperability tests: pyzmq's wheel brings libsodium along. Each line is the
length of a message (its bytes are 0, 1, 2 …, modulo 251), the tag, and the last sixteen encrypted bytes or fewer.
"""

import ctypes
import glob
import os

import zmq

CLIENT_SECRET = bytes(range(32))
SERVER_SECRET = bytes(range(100, 132))
NONCE = b"CurveZMQMESSAGEC" + bytes([0, 0, 0, 0, 0, 0, 1, 2])
# Short ones; where blocks begin to be made side by side; where as many as fit into the registers end, once (behind the
# first 32 bytes) and several times; where the proof changes hands; a long one.
LENGTHS = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 97, 255, 256, 1000]
LENGTHS += [319, 320, 321, 543, 544, 545, 1055, 1056, 1057, 2079, 2080, 2081]
LENGTHS += [5119, 5120, 5121, 5135, 5183, 5184, 5185, 65537]


def main():
    libraries = os.path.join(os.path.dirname(zmq.__file__), "..", "pyzmq.libs", "libsodium*")
    sodium = ctypes.CDLL(glob.glob(libraries)[0])
    sodium.sodium_init()
    public = ctypes.create_string_buffer(32)
    sodium.crypto_scalarmult_base(public, SERVER_SECRET)
    print("public", public.raw.hex())
    shared = ctypes.create_string_buffer(32)
    sodium.crypto_box_beforenm(shared, public.raw, CLIENT_SECRET)
    print("shared", shared.raw.hex())
    for length in LENGTHS:
        message = bytes(at % 251 for at in range(length))
        sealed = ctypes.create_string_buffer(length + 16)
        sodium.crypto_box_easy_afternm(
            sealed, message, ctypes.c_ulonglong(length), NONCE, shared.raw
        )
        tag, body = sealed.raw[:16], sealed.raw[16:]
        print(f'({length}, "{tag.hex()}", "{body[-16:].hex()}"),')


if __name__ == "__main__":
    main()
