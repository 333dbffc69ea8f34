#include "CLinux.h"
#include <sys/mman.h>

void *isotherm_map_memory(size_t byte_count, int populate) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (populate ? MAP_POPULATE : 0);
    void *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void isotherm_unmap_memory(void *memory, size_t byte_count) { munmap(memory, byte_count); }
