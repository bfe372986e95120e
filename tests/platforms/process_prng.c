/* What Rust's standard library needs of Windows' bcryptprimitives.dll, for versions of wine without it. */

#include <stddef.h>

unsigned char SystemFunction036(void *to, unsigned long length);

__declspec(dllexport) int ProcessPrng(unsigned char *to, size_t length) {
  return SystemFunction036(to, (unsigned long)length);
}
