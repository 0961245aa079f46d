"""Clients that are slow on purpose, and an upstream that says nothing; with python3 alone.

slow_clients.py PORT COUNT [idle]: COUNT connections to a PoP on 127.0.0.1, of five kinds that take turns. What is
closed or answered is begun anew a second later. When each of them has begun, "all are here" goes to standard error;
SIGTERM ends it with an object of counts on standard output. With "idle" it runs only when nothing else does.

slow_clients.py mute: takes any free port, says "listening on http://127.0.0.1:PORT", accepts everybody and answers nobody.
"""

import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

# A second is cut into so many parts, in each of which as many connections have their turn: slow clients know nothing of
# each other, and do not send all at one moment.
PARTS = 200
HEAD, UPLOAD, READER, NAMED, MUTE = KINDS = ("head", "upload", "reader", "named", "mute")
# How many of each in ten: most of them are those that give work each second.
MIX = (HEAD, UPLOAD, READER, HEAD, UPLOAD, READER, HEAD, UPLOAD, NAMED, MUTE)


class Client:
    """One connection at a time, of one kind."""

    def __init__(self, number):
        self.number = number
        self.kind = MIX[number % len(MIX)]
        self.socket = None
        self.turns = 0
        self.has_begun = False


class SlowClients:
    def __init__(self, port, count):
        self.port = port
        self.clients = [Client(number) for number in range(count)]
        self.poll = select.epoll()
        self.of = {}
        self.seen = {kind: {} for kind in KINDS}
        self.begun = 0
        self.is_told = False

    def count(self, kind, what):
        self.seen[kind][what] = self.seen[kind].get(what, 0) + 1

    def connect(self, client):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if client.kind == READER:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # A close is a reset: who only ends its side might still want the answer.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        made.setblocking(False)
        made.connect_ex(("127.0.0.1", self.port))
        client.socket, client.turns = made, 0
        self.of[made.fileno()] = client
        self.poll.register(made.fileno(), select.EPOLLOUT)

    def close(self, client):
        self.poll.unregister(client.socket.fileno())
        del self.of[client.socket.fileno()]
        client.socket.close()
        client.socket = None

    def begin(self, client):
        """What is sent first, when the connection is there."""
        number = client.number
        first = {
            HEAD: "GET / HTTP/1.1\r\n",
            UPLOAD: f"POST /{number} HTTP/1.1\r\nHost: mute.test\r\nContent-Length: 1000000\r\n\r\n",
            READER: "GET /bytes/900000?cache=max-age=600 HTTP/1.1\r\nHost: third.test\r\n\r\n",
            NAMED: f"GET /{number} HTTP/1.1\r\nHost: silent.test\r\n\r\n",
            MUTE: f"GET /{number} HTTP/1.1\r\nHost: mute.test\r\n\r\n",
        }[client.kind]
        client.socket.send(first.encode())
        # Slow readers look at nothing but when it is their turn.
        self.poll.modify(client.socket.fileno(), 0 if client.kind == READER else select.EPOLLIN)
        if client.kind != READER:
            self.arrived(client)

    def arrived(self, client):
        if not client.has_begun:
            client.has_begun = True
            self.begun += 1
            if self.begun == len(self.clients):
                print("all are here", file=sys.stderr, flush=True)

    def turn(self, client):
        """Once a second."""
        if client.socket is None:
            self.connect(client)
            return
        client.turns += 1
        try:
            if client.kind == HEAD:
                client.socket.send(b"X")
            elif client.kind == UPLOAD:
                client.socket.send(b"u")
            elif client.kind == READER:
                if not client.socket.recv(1):
                    self.count(READER, "closed")
                    self.close(client)
                else:
                    self.count(READER, "bytes")
                    self.arrived(client)
        except BlockingIOError:
            pass
        except OSError:
            self.count(client.kind, "reset")
            self.close(client)

    def event(self, client, events):
        try:
            if events & select.EPOLLOUT:
                self.begin(client)
                return
            received = client.socket.recv(4096)
            self.count(client.kind, received[9:12].decode("latin-1") if received else "closed")
        except BlockingIOError:
            return
        except OSError:
            self.count(client.kind, "reset")
        self.close(client)

    def run(self):
        start, part = time.monotonic(), 0
        while True:
            left = start + part / PARTS - time.monotonic()
            if left <= 0:
                for client in self.clients[part % PARTS::PARTS]:
                    self.turn(client)
                part += 1
                continue
            for descriptor, events in self.poll.poll(left):
                client = self.of.get(descriptor)
                if client is not None:
                    self.event(client, events)


def mute():
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    kept = []
    while True:
        kept.append(listener.accept()[0])


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "mute":
        mute()
    if sys.argv[3:] == ["idle"]:
        # Clients elsewhere take no processor from those whose times are measured.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    crowd = SlowClients(int(sys.argv[1]), int(sys.argv[2]))

    def end(*_):
        print(json.dumps(crowd.seen), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    crowd.run()


if __name__ == "__main__":
    main()
