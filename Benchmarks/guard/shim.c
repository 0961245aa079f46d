/* Loaded before the program under valgrind. Valgrind 3.19 writes into the mask that sigsuspend is
   given, and libdispatch keeps its mask in memory that cannot be written to. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int sigsuspend(const sigset_t *mask)
{
  sigset_t copy = *mask;
  return syscall(SYS_rt_sigsuspend, &copy, 8);
}
