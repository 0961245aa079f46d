/* What glibc's own allocator can be asked and told; Swift's Glibc module leaves this header out. */
#include <malloc.h>
