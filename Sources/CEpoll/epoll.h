// Readiness, events and sockets of Linux, as far as the Glibc module leaves them out. Declarations
// only, but for calls that Swift cannot make: variadic ones, and one whose type it does not know.

#ifndef CEPOLL_H
#define CEPOLL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

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
  return accept4(socket, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

#endif
