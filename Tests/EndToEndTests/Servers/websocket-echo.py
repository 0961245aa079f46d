"""A WebSocket server that sends every message back (RFC 6455), with python3 alone.

Takes any free port of 127.0.0.1 and says which on standard error. "?path" is answered with the
request target, so that a client can see what has reached the server.
"""

import base64
import hashlib
import socketserver
import struct
import sys

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        target = self.rfile.readline().split()[1]
        fields = {}
        while (line := self.rfile.readline().strip()):
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        if fields.get("upgrade", "").lower() != "websocket":
            self.wfile.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            return
        digest = hashlib.sha1((fields["sec-websocket-key"] + MAGIC).encode()).digest()
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        while self.echo(target):
            pass

    def echo(self, target):
        """Answers one frame; false when that was the last one."""
        start = self.rfile.read(2)
        if len(start) < 2:
            return False
        first, second = start
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.rfile.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.rfile.read(8))
        mask = self.rfile.read(4)
        masked = self.rfile.read(length)
        key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        payload = (int.from_bytes(masked, "big") ^ key).to_bytes(length, "big")
        code = first & 0x0F
        if code == TEXT and payload == b"?path":
            payload = target
        # With its FIN bit as it came: browsers send long messages in several frames.
        self.wfile.write(bytes([first & 0x80 | (PONG if code == PING else code)]))
        if len(payload) < 126:
            self.wfile.write(bytes([len(payload)]))
        elif len(payload) < 65536:
            self.wfile.write(b"\x7e" + struct.pack(">H", len(payload)))
        else:
            self.wfile.write(b"\x7f" + struct.pack(">Q", len(payload)))
        self.wfile.write(payload)
        return code != CLOSE


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with Server(("127.0.0.1", 0), Echo) as server:
    print("listening on http://127.0.0.1:%d" % server.server_address[1], file=sys.stderr)
    sys.stderr.flush()
    server.serve_forever()
