// The kernel's readiness interface, which the Glibc module leaves out. Declarations only: no C code
// of our own is compiled into a program, but for one call that Swift cannot make (it is variadic).

#ifndef CEPOLL_H
#define CEPOLL_H

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

// Lets timers of the calling thread expire within this many nanoseconds; the default is 50 us.
static inline int cepoll_set_timer_slack(unsigned long nanoseconds) {
  return prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
}

#endif
