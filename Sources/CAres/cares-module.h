/* Names looked up without waiting: DNS and the file of hosts. */
#include <ares.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Answers are kept by who asks: a cache in between would keep them from being asked for anew. Older ones have none. */
static inline void cares_keep_no_answers(struct ares_options *options, int *mask) {
#ifdef ARES_OPT_QUERY_CACHE
  options->qcache_max_ttl = 0;
  *mask |= ARES_OPT_QUERY_CACHE;
#else
  (void)options;
  (void)mask;
#endif
}
