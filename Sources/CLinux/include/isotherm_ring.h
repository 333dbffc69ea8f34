/* io_uring by raw system calls: its two shared rings, and loads and stores in the order that the
   kernel expects.  The structures are the kernel's; ring.c checks that against its header.

   Functions return a count or a descriptor, or the negated error number. */
#ifndef ISOTHERM_RING_H
#define ISOTHERM_RING_H

#include <stddef.h>
#include <stdint.h>

/* One submission entry, 64 bytes. */
struct isotherm_submission {
    uint8_t opcode;
    uint8_t flags;
    uint16_t priority;
    int32_t descriptor;
    uint64_t offset;
    uint64_t address;
    uint32_t byte_count;
    uint32_t operation_flags;
    uint64_t user_data;
    uint16_t buffer_index;
    uint16_t personality;
    uint32_t file_index;
    uint64_t address3;
    uint64_t reserved;
};

/* One completion entry, 16 bytes. */
struct isotherm_ring_completion {
    uint64_t user_data;
    int32_t result;
    uint32_t flags;
};

struct isotherm_timespec {
    int64_t seconds;
    int64_t nanoseconds;
};

struct isotherm_ring {
    int32_t descriptor;
    uint32_t features;
    uint32_t submission_count;
    uint32_t completion_count;
    uint32_t *submission_head;
    uint32_t *submission_tail;
    uint32_t *completion_head;
    uint32_t *completion_tail;
    uint32_t *completion_overflow;
    struct isotherm_submission *submissions;
    struct isotherm_ring_completion *completions;
    void *rings;
    size_t rings_byte_count;
    size_t submissions_byte_count;
};

/* Makes a ring and maps it.  Both counts are rounded up to powers of two by the kernel. */
int isotherm_ring_open(struct isotherm_ring *ring, uint32_t submission_count,
                       uint32_t completion_count, uint32_t setup_flags);
void isotherm_ring_close(struct isotherm_ring *ring);

/* Submits `submit_count` entries and waits until `wait_count` completions stand in the ring, or
   `timeout` nanoseconds have passed; a negative timeout waits for ever. */
int isotherm_ring_enter(int descriptor, uint32_t submit_count, uint32_t wait_count,
                        int64_t timeout);

int isotherm_ring_enable(int descriptor);

/* Sets bit n of `supported`, 4 words of 64 bits, when the kernel knows operation n. */
int isotherm_ring_probe(int descriptor, uint64_t *supported);

/* A table of `count` registered files, all empty. */
int isotherm_ring_register_files(int descriptor, uint32_t count);
/* Puts `file` into `slot` of the table, or empties the slot when `file` is -1. */
int isotherm_ring_update_file(int descriptor, uint32_t slot, int file);

static inline uint32_t isotherm_load_acquire(const uint32_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void isotherm_store_release(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

#endif
