// The floor: what a response costs when nobody looks at the request. Every listener answers each
// head with its own canned bytes, so that a cache's CPU per request can be told apart from what the
// kernel takes for a recv, a send and a wake-up.
//
//   floor PORT:STATUS:BYTES ...      STATUS is 200, 206 or 304
#include "loop.h"

static struct answer canned[MOST_LISTENERS];

// As many fields, and about as long, as a cache sends with a hit.
static const char fields[] =
    "Content-Type: application/octet-stream\r\n"
    "Cache-Control: max-age=3600\r\n"
    "ETag: \"0123456789abcdef\"\r\n"
    "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "Age: 1\r\n"
    "Via: 1.1 floor\r\n";

static inline void answer(int listener, const char *head, size_t length, struct answer *out) {
  (void)head, (void)length;
  *out = canned[listener];
}

static void can(int listener, int status, size_t size) {
  char head[1024];
  int length;
  if (status == 304) {
    length = snprintf(head, sizeof head, "HTTP/1.1 304 Not Modified\r\n%s\r\n", fields);
    size = 0;
  } else if (status == 206) {
    length = snprintf(head, sizeof head,
                      "HTTP/1.1 206 Partial Content\r\n%s"
                      "Content-Range: bytes 500000-%zu/1048576\r\nContent-Length: %zu\r\n\r\n",
                      fields, 500000 + size - 1, size);
  } else {
    length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", fields,
                      size);
  }
  // Head and content lie together, so that a response is one send.
  char *bytes = malloc((size_t)length + size);
  memcpy(bytes, head, (size_t)length);
  memset(bytes + length, 'x', size);
  canned[listener] = (struct answer){.head = bytes, .head_length = (size_t)length + size};
}

int main(int count, char **arguments) {
  if (count < 2 || count > MOST_LISTENERS) {
    fprintf(stderr, "usage: floor PORT:STATUS:BYTES ...\n");
    return 1;
  }
  start();
  for (int i = 1; i < count; i++) {
    int port, status;
    size_t size;
    if (sscanf(arguments[i], "%d:%d:%zu", &port, &status, &size) != 3) {
      fprintf(stderr, "floor: cannot read '%s'; write PORT:STATUS:BYTES\n", arguments[i]);
      return 1;
    }
    can(i - 1, status, size);
    listen_on(port, i - 1);
  }
  fprintf(stderr, "floor ready\n");
  run();
}
