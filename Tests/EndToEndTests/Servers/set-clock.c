/* Loaded before a program whose wall clock a test sets: it is ahead by as many seconds as the first eight bytes
   of the file EDGE_TEST_CLOCK say, whenever it is read. The other clocks are as they are. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *ahead;

__attribute__((constructor)) static void begin(void)
{
  const char *path = getenv("EDGE_TEST_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *memory;

  if (file < 0)
    abort();
  memory = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED)
    abort();
  ahead = memory;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
  int result = syscall(SYS_clock_gettime, clock, now);

  if (result == 0 && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += *ahead;
  return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
  struct timespec time;

  (void)zone;
  clock_gettime(CLOCK_REALTIME, &time);
  now->tv_sec = time.tv_sec;
  now->tv_usec = time.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now)
{
  struct timespec time;

  clock_gettime(CLOCK_REALTIME, &time);
  if (now)
    *now = time.tv_sec;
  return time.tv_sec;
}
