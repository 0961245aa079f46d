#!/usr/bin/env bash
# Expected: ares_getaddrinfo with AF_UNSPEC asks for A and AAAA; where a name server fails for A (SERVFAIL) and says that
#   there is no AAAA, nobody knows whether the name has an address, and the status says so (ARES_ESERVFAIL).
# Seen: the status is that of whichever answer came last. If that is the empty one, the name has no address
#   (ARES_ENODATA), which is an authoritative answer; the other way round it is a failure.
# In: c-ares 1.18.1 (that of Debian 12) and 1.34.5 (the newest of pycares, as of 2026-11)
# Matters to: NameLookup, which asks for each family by itself, because an authoritative answer ends the use of what was
#   known of a name (RFC 8767 §4) and a failure does not.
# https://github.com/c-ares/c-ares/blob/cares-1_18_1/src/lib/ares_getaddrinfo.c (host_callback)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env" || exit 2

cat >"$work/try.py" <<'END'
import select, socket, struct, threading, time
import pycares

def serve(server, empty_last):
    """Answers A with SERVFAIL and AAAA with nothing, one after the other in the order that is wanted."""
    held = {}
    while True:
        query, peer = server.recvfrom(512)
        question = query[12:27]  # 1 a 7 example 0, type, class
        kind = struct.unpack("!H", question[11:13])[0]
        code = 2 if kind == 1 else 0
        held[kind] = (query[:2] + bytes([0x81, 0x80 | code, 0, 1]) + bytes(6) + question, peer)
        if len(held) == 2:
            for kind in ((1, 28) if empty_last else (28, 1)):
                server.sendto(*held[kind])
                time.sleep(0.2)
            held = {}

def ask(empty_last):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(server, empty_last), daemon=True).start()
    channel = pycares.Channel(timeout=5, tries=1, servers=["127.0.0.1"], udp_port=server.getsockname()[1])
    ended = []
    channel.getaddrinfo("a.example.", None, family=socket.AF_UNSPEC, callback=lambda result, error: ended.append(error))
    end = time.time() + 30
    while not ended and time.time() < end:
        reads, writes = channel.getsock()
        if not reads and not writes:
            time.sleep(0.01)
            continue
        reads, writes, _ = select.select(reads, writes, [], channel.timeout() or 0.1)
        for each in reads: channel.process_fd(each, pycares.ARES_SOCKET_BAD)
        for each in writes: channel.process_fd(pycares.ARES_SOCKET_BAD, each)
        if not reads and not writes: channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
    return pycares.errno.errorcode.get(ended[0], ended[0]) if ended else "no end"

print(ask(True), ask(False))
END

changed=0
for version in 4.3.0 4.11.0; do
  "$work/env/bin/pip" install --quiet "pycares==$version" || exit 2
  ares=$("$work/env/bin/python" -c 'import pycares; print(pycares.ARES_VERSION)') || exit 2
  read -r empty_last failure_last < <("$work/env/bin/python" "$work/try.py") || exit 2
  echo "c-ares $ares (pycares $version): SERVFAIL for A, then nothing for AAAA: $empty_last;" \
    "the other way round: $failure_last"
  if [[ $empty_last != ARES_ENODATA || $failure_last == ARES_ENODATA ]]; then changed=1; fi
done
if ((changed)); then
  echo "changed: expected ARES_ENODATA when the empty answer comes last, and only then" >&2
  exit 1
fi
