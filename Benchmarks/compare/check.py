"""Does the server really do the case? Asked before every measurement: status, length, and that a
hit does not reach the origin. A server that cannot is left out of the case, with the reason."""

import wire


class NotPossible(Exception):
    """The reason why a server has no number in a case."""


def origin_count(port):
    """Requests that reached the origin so far."""
    return int(wire.content(port, "/count"))


def fields_of(case, server):
    """The case's fields, with the server's own ETag in the condition."""
    if not any("@ETAG@" in line for line in case.fields):
        return list(case.fields)
    if server.kind == "floor":
        return [line.replace("@ETAG@", '"0123456789abcdef"') for line in case.fields]
    etag = wire.ask(server.port_of(case), case.path).fields.get("etag")
    if etag is None:
        raise NotPossible("sends no ETag")
    return [line.replace("@ETAG@", etag) for line in case.fields]


def prepare(case, server, origin_port):
    """Warms the server for a case and checks its answer. Returns the fields to send."""
    if case.kind in server.cannot:
        raise NotPossible(server.cannot[case.kind])
    if case.log and "log" in server.cannot:
        raise NotPossible(server.cannot["log"])
    if case.kind in ("hit", "open", "idle") and server.kind != "floor":
        # What is stored is the whole response, before anything is asked about it.
        for _ in range(3):
            wire.ask(server.port_of(case), case.path)
    fields = fields_of(case, server)
    path = case.path if case.kind not in ("miss", "working-set") else case.path + "/check"
    before = origin_count(origin_port)
    for _ in range(2):
        answer = wire.ask(server.port_of(case), path, case.method, fields, case.body)
        if answer.status != case.status:
            raise NotPossible(f"answers {answer.status}, not {case.status}")
        if answer.length != case.size:
            raise NotPossible(f"answers {answer.length} bytes, not {case.size}")
    reached = origin_count(origin_port) - before
    if case.kind in ("hit", "open", "idle") and reached != 0:
        raise NotPossible("asks the origin, so it is no hit")
    if case.kind in ("miss", "working-set") and reached > 1:
        raise NotPossible("does not store the response")
    if case.kind == "forward" and reached != 2:
        raise NotPossible("does not ask the origin each time")
    return fields
