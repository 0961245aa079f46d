"""What is measured: the cases, as data. What can differ between two cases is a field here."""

from dataclasses import dataclass, field

MEGABYTE = 1 << 20

# A browser's head for a script of a page, as Chromium sends it: about 700 bytes of fields.
BROWSER_FIELDS = [
    "sec-ch-ua: \"Chromium\";v=\"130\", \"Google Chrome\";v=\"130\", \"Not?A_Brand\";v=\"99\"",
    "sec-ch-ua-mobile: ?0",
    "sec-ch-ua-platform: \"Linux\"",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36",
    "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: no-cors",
    "Sec-Fetch-Dest: image",
    "Referer: http://www.edge.example/products/category/index.html",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-US,en;q=0.9,de;q=0.8",
    "Cookie: _ga=GA1.1.1234567890.1700000000; theme=dark; consent=1; "
    "session=4f1c0e6a9b7d42388d5e1f7a60c3b92e5d7a8c9f01e24b36a7c8d9e0f1a2b3c4",
]


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    title: str
    kind: str  # hit, forward, miss, working-set, open, idle
    path: str = ""
    size: int = 0  # content of the response
    status: int = 200
    fields: list = field(default_factory=list)
    method: str = "GET"
    body: int = 0
    connections: int = 64
    log: bool = False  # with an access log, in the combined format


def hit(name, title, size, **more):
    """A case whose responses must all come from the store."""
    return Case(name, title, "hit", f"/bytes/{size}/hit", size, **more)


CASES = [
    hit("hit-1k", "hit, 1 KB", 1024),
    hit("hit-16k", "hit, 16 KB", 16384),
    hit("hit-64k", "hit, 64 KB", 65536),
    hit("hit-1m", "hit, 1 MB", MEGABYTE, connections=16),
    hit("hit-1k-browser", "hit, 1 KB, browser's head", 1024, fields=BROWSER_FIELDS),
    hit("hit-1k-logged", "hit, 1 KB, access log on", 1024, log=True),
    # The condition is filled in with the ETag that the server itself sends.
    Case("not-modified", "304 on If-None-Match", "hit", "/bytes/1024/hit", 0, 304,
         ["If-None-Match: @ETAG@"]),
    Case("range-1k", "1 KB range of 1 MB", "hit", f"/bytes/{MEGABYTE}/hit", 1024, 206,
         ["Range: bytes=500000-501023"]),
    Case("miss", "miss and store, 1 KB", "miss", "/bytes/1024/miss", 1024),
    Case("pass-get", "pass-through GET, 1 KB", "forward", "/api/bytes/1024", 1024),
    Case("pass-post", "pass-through POST, 16 KB", "forward", "/api/bytes/1024", 1024,
         method="POST", body=16384),
    Case("working-set", "16 KB, four times the memory", "working-set", "/bytes/16384/set", 16384),
    Case("half-rate", "hit, 1 KB, open loop at half its own rate", "open", "/bytes/1024/hit", 1024),
    Case("common-rate", "hit, 1 KB, open loop at one common rate", "open", "/bytes/1024/hit", 1024),
    Case("idle", "10 000 idle connections", "idle", "/bytes/1024/hit", 1024),
]


def named(names):
    """The cases with these names, in the order of the table."""
    known = {case.name for case in CASES}
    for name in names:
        if name not in known:
            raise SystemExit(f"bench: no case '{name}'; there are: {' '.join(sorted(known))}")
    return [case for case in CASES if not names or case.name in names]
