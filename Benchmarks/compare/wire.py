"""One request at a time over a plain socket: to check what a server answers, and to sit idle."""

import socket


class Answer:
    """A complete response."""

    def __init__(self, status, fields, length):
        self.status, self.fields, self.length = status, fields, length


def head(method, path, port, fields=(), body=0):
    """A request head, and its content, as bytes."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *fields]
    if body:
        lines.append(f"Content-Length: {body}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + b"x" * body


def read(stream, method="GET"):
    """Reads one response."""
    line = stream.readline()
    if not line.startswith(b"HTTP/1.1 "):
        raise OSError(f"no HTTP/1.1 response: {line[:60]!r}")
    status, fields = int(line.split()[1]), {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()
    length = 0
    if status not in (204, 304) and method != "HEAD":
        if "chunked" in fields.get("transfer-encoding", "").lower():
            while size := int(stream.readline().split(b";")[0], 16):
                length += len(stream.read(size))
                stream.readline()
            stream.readline()
        else:
            length = len(stream.read(int(fields.get("content-length", 0))))
    return Answer(status, fields, length)


def ask(port, path, method="GET", fields=(), body=0):
    """Sends one request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(head(method, path, port, fields, body))
        with connection.makefile("rb") as stream:
            return read(stream, method)


def content(port, path):
    """The content of a small response, as text."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(head("GET", path, port, ["Connection: close"]))
        with connection.makefile("rb") as stream:
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            return stream.read(length).decode()


class IdleConnections:
    """Connections that have had one response each and are kept open."""

    def __init__(self, port, path, count):
        request = head("GET", path, port)
        self.sockets = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), 10)
            connection.sendall(request)
            with connection.makefile("rb", 4096) as stream:
                read(stream)
            self.sockets.append(connection)

    def open_count(self):
        """How many of them the server has not closed."""
        still = 0
        for connection in self.sockets:
            try:
                connection.setblocking(False)
                still += connection.recv(1, socket.MSG_PEEK) != b""
            except BlockingIOError:
                still += 1
            except OSError:
                pass
        return still

    def close(self):
        for connection in self.sockets:
            connection.close()
