/* Brotli, whose end only decoding finds. */
#include <brotli/decode.h>
