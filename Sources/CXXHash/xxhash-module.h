/* XXH3, the checksum of what is on disk. */
#include <xxhash.h>
