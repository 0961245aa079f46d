// Readiness, events and sockets of Linux, as far as the Glibc module leaves them out. Declarations
// only, but for calls that Swift cannot make: variadic ones, of which syscall is one.
//
// No macro that changes what the system's headers declare: the Glibc module has read them without, and
// the two must agree.

#ifndef CEPOLL_H
#define CEPOLL_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Lets timers of the calling thread expire within this many nanoseconds; the default is 50 us.
static inline int cepoll_set_timer_slack(unsigned long nanoseconds) {
  return prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
}

// Names the calling thread; 15 bytes count.
static inline int cepoll_name_thread(const char *name) {
  return prctl(PR_SET_NAME, name, 0, 0, 0);
}

// Accepts a connection that neither blocks nor outlives an exec.
static inline int cepoll_accept(int socket, struct sockaddr *address, socklen_t *length) {
  return syscall(SYS_accept4, socket, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// The library's own versions of these make each call a point at which a thread may be cancelled, which
// takes two atomic operations; nobody cancels threads here. Errors are in errno as always.

static inline ssize_t cepoll_send(int socket, const void *bytes, size_t count) {
  return syscall(SYS_sendto, socket, bytes, count, MSG_NOSIGNAL, NULL, 0);
}

static inline ssize_t cepoll_send_message(int socket, const struct msghdr *message) {
  return syscall(SYS_sendmsg, socket, message, MSG_NOSIGNAL);
}

static inline ssize_t cepoll_receive(int socket, void *bytes, size_t count) {
  return syscall(SYS_recvfrom, socket, bytes, count, 0, NULL, NULL);
}

// Timeouts in nanoseconds. Before Linux 5.11 there are whole milliseconds only; rounded up, or a loop
// would spin.
static inline int cepoll_wait(int epoll, struct epoll_event *events, int capacity, long long timeout) {
  struct timespec time = {timeout / 1000000000, timeout % 1000000000};
  int count = syscall(SYS_epoll_pwait2, epoll, events, capacity, &time, NULL, 0);
  if (count < 0 && errno == ENOSYS) {
    long long milliseconds = (timeout + 999999) / 1000000;
    return epoll_wait(epoll, events, capacity, milliseconds > 3600000 ? 3600000 : milliseconds);
  }
  return count;
}

#endif
