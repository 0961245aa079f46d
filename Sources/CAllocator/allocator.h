/* What the allocator can be asked and told: jemalloc's interface, and <malloc.h>, which Swift's own
   module for glibc leaves out. */
#include <malloc.h>
#include <jemalloc/jemalloc.h>
