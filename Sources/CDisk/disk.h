// Calls of Linux for files that the Glibc module leaves out, by their numbers. Errors are in errno.
//
// No macro that changes what the system's headers declare: the Glibc module has read them without, and
// the two must agree.

#ifndef CDISK_H
#define CDISK_H

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

// Reads what is in the page cache; EAGAIN if that is less than nothing (RWF_NOWAIT).
static inline ssize_t cdisk_read_now(int file, void *bytes, size_t count, off_t offset) {
  struct iovec vector = {bytes, count};
  return syscall(SYS_preadv2, file, &vector, 1, (long)offset, 0L, 8);
}

// Reserves room, and makes the file as large; does not write zeros where that is not known how to do.
static inline int cdisk_allocate(int file, off_t size) {
  return syscall(SYS_fallocate, file, 0, (off_t)0, size);
}

// Reserves room for a file to grow into, and leaves its size (FALLOC_FL_KEEP_SIZE).
static inline int cdisk_allocate_beyond(int file, off_t size) {
  return syscall(SYS_fallocate, file, 1, (off_t)0, size);
}

// Makes a range of a file read as zeros, and keeps room for it: FALLOC_FL_ZERO_RANGE, or FALLOC_FL_PUNCH_HOLE, which
// needs FALLOC_FL_KEEP_SIZE, and new room in the place of the old. Both take the pages of the range out of the page
// cache.
static inline int cdisk_zero(int file, off_t size) {
  return syscall(SYS_fallocate, file, 16, (off_t)0, size);
}

static inline int cdisk_punch(int file, off_t size) {
  return syscall(SYS_fallocate, file, 2 | 1, (off_t)0, size);
}

// Says of each page of a mapping whether it is in memory, in the lowest bit of a byte.
static inline int cdisk_resident(void *address, size_t count, unsigned char *pages) {
  return syscall(SYS_mincore, address, count, pages);
}

// Moves bytes from the page cache to a socket.
static inline ssize_t cdisk_send(int socket, int file, off_t offset, size_t count) {
  return syscall(SYS_sendfile, socket, file, &offset, count);
}

#endif
