// The epoll loop that the floor and the origin share: one thread, level-triggered, non-blocking.
//
// It does what every HTTP server has to do and nothing else: accept, recv until the end of a head,
// send, keep the connection. Requests may be pipelined: all complete heads of what one recv
// brought are answered in order, and a response that the socket does not take in one piece holds
// back the next ones. What is answered is the business of `answer`, which the including file
// defines; it is inlined.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { INPUT = 32768, MOST_LISTENERS = 16 };

// A response that is ready: a head (which may hold the content, too) and content by reference.
struct answer {
  char *head;
  size_t head_length;
  const char *content;
  size_t content_length;
  size_t request_content;  // bytes of request content to read away before the next head
};

struct connection {
  int socket;
  int listener;            // which listener accepted it; -1 - n for listener n itself
  int blocked;             // waiting for EPOLLOUT
  int owing;               // an answer is ready and waits for the end of the request's content
  size_t skip;             // bytes of request content still to come
  size_t length;           // bytes in `input`, which is there only while a head is incomplete
  char *input;
  struct answer pending;   // what is left to send while blocked
  char *pending_head;      // copy of a head that `answer` will reuse
};

static void answer(int listener, const char *head, size_t length, struct answer *out);

static int poll_fd;
static char shared_input[INPUT];

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static void watch(struct connection *c, int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(poll_fd, operation, c->socket, &event) != 0) fail("epoll_ctl");
}

static void hang_up(struct connection *c) {
  close(c->socket);
  free(c->input);
  free(c->pending_head);
  free(c);
}

// Sends what is pending. 1: all gone, 0: the socket is full, -1: the connection is gone.
static int flush(struct connection *c) {
  struct answer *p = &c->pending;
  while (p->head_length + p->content_length > 0) {
    ssize_t sent;
    if (p->content_length == 0) {
      sent = send(c->socket, p->head, p->head_length, MSG_NOSIGNAL);
    } else if (p->head_length == 0) {
      sent = send(c->socket, p->content, p->content_length, MSG_NOSIGNAL);
    } else {
      struct iovec parts[2] = {{p->head, p->head_length}, {(void *)p->content, p->content_length}};
      struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
      sent = sendmsg(c->socket, &message, MSG_NOSIGNAL);
    }
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? 0 : -1;
    }
    size_t of_head = (size_t)sent < p->head_length ? (size_t)sent : p->head_length;
    p->head += of_head;
    p->head_length -= of_head;
    p->content += (size_t)sent - of_head;
    p->content_length -= (size_t)sent - of_head;
  }
  return 1;
}

// Copies the head of what is pending: `answer` may write its next one to the same place.
static void keep_head(struct connection *c) {
  if (c->pending.head_length == 0) return;
  char *copy = malloc(c->pending.head_length);
  memcpy(copy, c->pending.head, c->pending.head_length);
  free(c->pending_head);
  c->pending_head = c->pending.head = copy;
}

// Answers all complete heads in the bytes. Returns how many bytes are used up, -1 to hang up.
static ssize_t serve(struct connection *c, const char *bytes, size_t length) {
  size_t used = 0;
  for (;;) {
    size_t away = length - used < c->skip ? length - used : c->skip;
    used += away;
    c->skip -= away;
    if (c->skip > 0) return (ssize_t)used;
    if (!c->owing) {
      if (used == length) return (ssize_t)used;
      const char *end = memmem(bytes + used, length - used, "\r\n\r\n", 4);
      if (end == NULL) return (ssize_t)used;
      size_t head = (size_t)(end + 4 - (bytes + used));
      c->pending.request_content = 0;
      answer(c->listener, bytes + used, head, &c->pending);
      used += head;
      c->skip = c->pending.request_content;
      c->owing = 1;
      if (c->skip > 0) {
        // Not before the content is there: a proxy need not expect an early response.
        keep_head(c);
        continue;
      }
    }
    c->owing = 0;
    int state = flush(c);
    if (state < 0) return -1;
    if (state == 0) {
      keep_head(c);
      c->blocked = 1;
      watch(c, EPOLL_CTL_MOD, EPOLLOUT);
      return (ssize_t)used;
    }
  }
}

// Serves what is there and keeps what is left over. 0 to hang up.
static int take(struct connection *c, const char *bytes, size_t length) {
  ssize_t used = serve(c, bytes, length);
  if (used < 0) return 0;
  size_t rest = length - (size_t)used;
  if (rest == 0) {
    free(c->input);
    c->input = NULL;
  } else {
    if (rest == INPUT && !c->blocked) return 0;  // a head as long as that is no head
    if (c->input == NULL) c->input = malloc(INPUT);
    memmove(c->input, bytes + used, rest);
  }
  c->length = rest;
  return 1;
}

static int readable(struct connection *c) {
  char *into = c->input != NULL ? c->input : shared_input;
  ssize_t got = recv(c->socket, into + c->length, INPUT - c->length, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return 0;
  return take(c, into, c->length + (size_t)got);
}

static int writable(struct connection *c) {
  int state = flush(c);
  if (state <= 0) return state == 0;
  c->blocked = 0;
  if (c->length > 0 && !take(c, c->input, c->length)) return 0;
  if (!c->blocked) watch(c, EPOLL_CTL_MOD, EPOLLIN);
  return 1;
}

static void accept_all(struct connection *listener) {
  for (;;) {
    int socket = accept4(listener->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;
    int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    c->socket = socket;
    c->listener = -1 - listener->listener;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static void listen_on(int port, int number) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct connection *c = calloc(1, sizeof *c);
  int on = 1;
  c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  c->listener = -1 - number;
  setsockopt(c->socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(c->socket, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  if (listen(c->socket, 4096) != 0) fail("listen");
  watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void start(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (poll_fd < 0) fail("epoll_create1");
}

static _Noreturn void run(void) {
  struct epoll_event events[256];
  for (;;) {
    int count = epoll_wait(poll_fd, events, 256, -1);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (c->listener < 0) {
        accept_all(c);
      } else if (!(c->blocked ? writable(c) : readable(c))) {
        hang_up(c);
      }
    }
  }
}
