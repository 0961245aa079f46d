/* Message authentication codes and hashes of OpenSSL. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
