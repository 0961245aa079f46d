/* gzip and deflate, whose end only decoding finds. */
#include <zlib.h>
