/* The protocol of Redis: commands and replies as bytes. */
#include <hiredis/hiredis.h>
