// Readiness, events and sockets of Linux, as far as the Glibc module leaves them out. Declarations
// only, but for calls that Swift cannot make: variadic ones, of which syscall is one.
//
// No macro that changes what the system's headers declare: the Glibc module has read them without, and
// the two must agree.

#ifndef CEPOLL_H
#define CEPOLL_H

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// Lets timers of the calling thread expire within this many nanoseconds; the default is 50 us.
static inline int cepoll_set_timer_slack(unsigned long nanoseconds) {
  return prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
}

// Bytes that were written to a socket and not acknowledged by its peer, or -1.
static inline int cepoll_unsent(int socket) {
  int count = 0;
  return ioctl(socket, TIOCOUTQ, &count) == 0 ? count : -1;
}

// Names the calling thread; 15 bytes count.
static inline int cepoll_name_thread(const char *name) {
  return prctl(PR_SET_NAME, name, 0, 0, 0);
}

// Accepts a connection that neither blocks nor outlives an exec.
static inline int cepoll_accept(int socket, struct sockaddr *address, socklen_t *length) {
  return syscall(SYS_accept4, socket, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// Drops what would begin a connection to a socket that listens, and nothing else: segments with SYN and without ACK.
// A client tries again in a second. Connections that have begun are completed.
static inline int cepoll_ignore_new_connections(int socket) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),       // The flags of TCP.
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),    // ACK and SYN.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFF),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

// Sockets of this machine with a name that is in no directory.

static inline int cepoll_local_address(struct sockaddr_un *address, socklen_t *length, const char *name) {
  size_t count = strlen(name);
  if (count > sizeof address->sun_path - 1) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path + 1, name, count);
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + count);
  return 0;
}

static inline int cepoll_local_bind(int socket, const char *name) {
  struct sockaddr_un address;
  socklen_t length;
  if (cepoll_local_address(&address, &length, name) != 0) return -1;
  return bind(socket, (struct sockaddr *)&address, length);
}

static inline int cepoll_local_connect(int socket, const char *name) {
  struct sockaddr_un address;
  socklen_t length;
  if (cepoll_local_address(&address, &length, name) != 0) return -1;
  return connect(socket, (struct sockaddr *)&address, length);
}

// Who is at the other end of such a socket: user, process.
static inline int cepoll_local_peer(int socket, unsigned *user, int *process) {
  struct { int pid; unsigned uid; unsigned gid; } peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
  *user = peer.uid;
  *process = peer.pid;
  return 0;
}

// How many descriptors go with one byte at most.
#define CEPOLL_MOST_DESCRIPTORS 64

// Sends one byte and descriptors with it.
static inline ssize_t cepoll_send_descriptors(int socket, const int *descriptors, int count) {
  char byte = 0;
  union { struct cmsghdr header; char bytes[CMSG_SPACE(CEPOLL_MOST_DESCRIPTORS * sizeof(int))]; } control;
  if (count < 1 || count > CEPOLL_MOST_DESCRIPTORS) {
    errno = EINVAL;
    return -1;
  }
  struct iovec piece = {&byte, 1};
  struct msghdr message = {0};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  memset(control.bytes, 0, sizeof control.bytes);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
  return sendmsg(socket, &message, MSG_NOSIGNAL);
}

// Receives one byte and what descriptors came with it, room for CEPOLL_MOST_DESCRIPTORS of them; their number, or -1 if
// the other end is gone, or there were more, or this process may have no more.
static inline int cepoll_receive_descriptors(int socket, int *descriptors) {
  char byte;
  union { struct cmsghdr header; char bytes[CMSG_SPACE(CEPOLL_MOST_DESCRIPTORS * sizeof(int))]; } control;
  struct iovec piece = {&byte, 1};
  struct msghdr message = {0};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  int count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int some = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(descriptors + count, CMSG_DATA(header), some * sizeof(int));
    count += some;
  }
  if (message.msg_flags & MSG_CTRUNC) {
    while (count > 0) close(descriptors[--count]);
    return -1;
  }
  return count;
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
