// The origin that all servers fetch from: fast enough never to be what is measured.
//
//   origin PORT
//
//   /bytes/N/anything    N bytes, fresh for an hour, with ETag and Last-Modified
//   /api/bytes/N         N bytes with no-store, to GET and to POST (the content is read away)
//   /count               requests so far, this path left out: the proof that a cache answered alone
//
// It understands Content-Length and nothing else of a request, which is all that the servers under
// test send it. Content is 'x' throughout; ranges and conditions are ignored, as a server may
// (Accept-Ranges is there because nginx cuts ranges out of what it stored only if it stands there).
#include "loop.h"

#include <time.h>

enum { MOST_CONTENT = 8 << 20 };

static char content[MOST_CONTENT];
static char head_buffer[1024];
static char date[64];
static time_t date_second;
static unsigned long requests;

static void tell_date(void) {
  time_t now = time(NULL);
  if (now == date_second) return;
  struct tm parts;
  gmtime_r(&now, &parts);
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  date_second = now;
}

static size_t request_content(const char *head, size_t length) {
  for (const char *line = memchr(head, '\n', length); line != NULL;
       line = memchr(line, '\n', length - (size_t)(line - head))) {
    line++;
    if (strncasecmp(line, "content-length:", 15) == 0) return strtoul(line + 15, NULL, 10);
  }
  return 0;
}

static inline void answer(int listener, const char *head, size_t length, struct answer *out) {
  (void)listener;
  const char *path = memchr(head, ' ', length);
  path = path == NULL ? "" : path + 1;
  // A proxy may send the absolute form.
  if (strncmp(path, "http://", 7) == 0) {
    const char *slash = strchr(path + 7, '/');
    if (slash != NULL) path = slash;
  }
  out->request_content = head[0] == 'P' ? request_content(head, length) : 0;
  tell_date();
  size_t size = 0;
  int written;
  if (strncmp(path, "/count", 6) == 0) {
    char text[32];
    int digits = snprintf(text, sizeof text, "%lu", requests);
    written = snprintf(head_buffer, sizeof head_buffer,
                       "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nDate: %s\r\n"
                       "Content-Length: %d\r\n\r\n%s",
                       date, digits, text);
  } else {
    requests++;
    int is_stored = strncmp(path, "/bytes/", 7) == 0;
    int is_passed = strncmp(path, "/api/bytes/", 11) == 0;
    if (is_stored || is_passed) size = strtoul(path + (is_stored ? 7 : 11), NULL, 10);
    if (size > MOST_CONTENT || !(is_stored || is_passed)) {
      size = 0;
      written = snprintf(head_buffer, sizeof head_buffer,
                         "HTTP/1.1 404 Not Found\r\nDate: %s\r\nContent-Length: 0\r\n\r\n", date);
    } else {
      written = snprintf(head_buffer, sizeof head_buffer,
                         "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: %s\r\n"
                         "Content-Type: application/octet-stream\r\nCache-Control: %s\r\n"
                         "Accept-Ranges: bytes\r\nETag: \"%zx\"\r\n"
                         "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         date, is_stored ? "max-age=3600" : "no-store", size, size);
    }
  }
  *out = (struct answer){.head = head_buffer,
                         .head_length = (size_t)written,
                         .content = content,
                         .content_length = size,
                         .request_content = out->request_content};
}

int main(int count, char **arguments) {
  if (count != 2 || atoi(arguments[1]) <= 0) {
    fprintf(stderr, "usage: origin PORT\n");
    return 1;
  }
  memset(content, 'x', sizeof content);
  start();
  listen_on(atoi(arguments[1]), 0);
  fprintf(stderr, "origin ready\n");
  run();
}
