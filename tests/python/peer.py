"""A pyzmq socket by remote control: the far end of the interoperability tests.

    python peer.py TYPE

Reads one order per line from standard input and answers each with one line on standard output.
Frames are not spelled out in the lines; a line gives their lengths, and their bytes follow it as
they are:

    bind ENDPOINT        ok RESOLVED_ENDPOINT
    connect ENDPOINT     ok
    set OPTION VALUE     ok                     (an integer, or else text)
    subscribe LENGTH     ok                     (bytes follow the order; likewise `unsubscribe`)
    send LENGTH…         ok                     (bytes follow the order)
    recv                 message LENGTH…        (bytes follow the answer)
    property NAME        ok VALUE               (what libzmq tells of the message received last)
    authenticate RULE…   ok                     (a ZAP handler: `plain DOMAIN USER PASSWORD`, `curve DOMAIN LOCATION`)
    certificate FOLDER NAME  ok                 (`zmq.auth` makes a pair and its files)
    wait EVENT COUNT     ok                     (when so many have happened since the start)

An order that fails is answered by `error REASON`. Nothing outlives the test: every order has a
deadline, and the end of the input, which comes when the test ends in whatever way, ends the program.
"""

import collections
import fcntl
import select
import sys

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

# Shorter than the deadline of the tests, so that a failure comes with a reason and not as silence.
DEADLINE_MS = 60_000
# The long messages of the tests in a few pieces: for each, both sides wait for the processor.
PIPE_BYTES = 1 << 20
# Not that of `sys`: under PYTHONUNBUFFERED, that writes a part only when a signal comes in the middle.
OUTPUT = open(sys.stdout.fileno(), "wb", closefd=False)
EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_DISCONNECTED
)


class Peer:
    def __init__(self, socket_type):
        self.socket = zmq.Context.instance().socket(getattr(zmq, socket_type))
        self.socket.linger = 0
        self.socket.rcvtimeo = DEADLINE_MS
        self.socket.sndtimeo = DEADLINE_MS
        self.monitor = self.socket.get_monitor_socket(EVENTS)
        self.monitor.rcvtimeo = DEADLINE_MS
        self.happened = collections.Counter()
        self.last = None
        self.authenticator = None

    def next_order(self):
        """Waits for the next line of input, and lets the socket live meanwhile.

        libzmq does some of its work, sending subscriptions to a new publisher for instance, only in
        the thread that uses the socket, when that calls it. A program that waits for messages does.
        """
        while True:
            self.socket.getsockopt(zmq.EVENTS)
            ready, _, _ = select.select([sys.stdin, self.socket.FD], [], [])
            if sys.stdin in ready:
                return sys.stdin.buffer.readline()

    def obey(self, verb, words):
        """Carries out one order; returns the word and the frames of the answer, or text."""
        if verb == "bind":
            self.socket.bind(words[0])
            return self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        if verb == "connect":
            self.socket.connect(words[0])
        elif verb == "set":
            self.set(words[0], words[1])
        elif verb == "subscribe":
            self.socket.subscribe(read_frames(words)[0])
        elif verb == "unsubscribe":
            self.socket.unsubscribe(read_frames(words)[0])
        elif verb == "send":
            self.socket.send_multipart(read_frames(words))
        elif verb == "recv":
            frames = self.socket.recv_multipart(copy=False)
            self.last = frames[-1]
            return [frame.bytes for frame in frames]
        elif verb == "authenticate":
            self.authenticate(*words)
        elif verb == "certificate":
            zmq.auth.create_certificates(words[0], words[1])
        elif verb == "property":
            return self.last.get(words[0])
        elif verb == "wait":
            self.wait(getattr(zmq, f"EVENT_{words[0]}"), int(words[1]))
        else:
            raise ValueError(f"unknown order {verb}")
        return ""

    def set(self, option, value):
        value = int(value) if value.lstrip("-").isdigit() else value.encode()
        self.socket.setsockopt(getattr(zmq, option), value)

    def authenticate(self, mechanism, domain, *words):
        if not self.authenticator:
            self.authenticator = ThreadAuthenticator(zmq.Context.instance())
            self.authenticator.start()
        if mechanism == "plain":
            user, password = words
            self.authenticator.configure_plain(domain, {user: password})
        else:
            location = zmq.auth.CURVE_ALLOW_ANY if words[0] == "*" else words[0]
            self.authenticator.configure_curve(domain, location)

    def wait(self, event, count):
        while self.happened[event] < count:
            self.happened[recv_monitor_message(self.monitor)["event"]] += 1
        # The monitor may be ahead of the socket: asking for its state makes it take in the change.
        self.socket.getsockopt(zmq.EVENTS)


def read_frames(lengths):
    return [sys.stdin.buffer.read(int(length)) for length in lengths]


def answer(line, frames=()):
    OUTPUT.write(line.encode() + b"\n")
    for frame in frames:
        OUTPUT.write(frame)
    OUTPUT.flush()


def widen(pipe):
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (AttributeError, OSError):
        pass  # not on this system: it takes longer


def main(socket_type):
    widen(sys.stdin)
    widen(sys.stdout)
    peer = Peer(socket_type)
    answer("ok")
    for order in iter(peer.next_order, b""):
        verb, *words = order.decode().split()
        try:
            result = peer.obey(verb, words)
        except (zmq.ZMQError, ValueError) as error:
            answer(f"error {verb}: {error}")
        else:
            if isinstance(result, str):
                answer(f"ok {result}".strip())
            else:
                answer(" ".join(["message", *(str(len(frame)) for frame in result)]), result)
    if peer.authenticator:
        peer.authenticator.stop()
    zmq.Context.instance().destroy(linger=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
