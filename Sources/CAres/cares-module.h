/* Names looked up without waiting: DNS and the file of hosts. */
#include <ares.h>
#include <netinet/in.h>
#include <sys/socket.h>
