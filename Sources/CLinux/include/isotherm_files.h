/* Files, block devices, event descriptors, time and randomness.

   Functions return zero, a count or a descriptor, or the negated error number.  Descriptors are
   closed on exec and stand above the standard three. */
#ifndef ISOTHERM_FILES_H
#define ISOTHERM_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Takes a fresh descriptor, or an error to pass on, and returns one from 3 up for the same file. */
int isotherm_above_standard(int descriptor);
/* Opens /dev/null where standard input, output or error is closed. */
int isotherm_fill_standard(void);

int isotherm_open_device(const char *path, int is_read_only, int is_direct, int is_exclusive);
/* Makes a new file for reading and writing; fails when there is one. */
int isotherm_create_file(const char *path);
int isotherm_close(int descriptor);

/* What lies at a descriptor. */
struct isotherm_file_facts {
    uint64_t byte_count;
    uint32_t sector_byte_count;
    int is_block_device;
    int is_regular_file;
};
int isotherm_measure_file(int descriptor, struct isotherm_file_facts *facts);
/* 1 a block device, 0 something else. */
int isotherm_is_block_device(const char *path);

/* Takes an exclusive lock on the whole open file; -EAGAIN when another holds one.  It belongs to
   the open file, not to the process: closing another descriptor of the same file keeps it. */
int isotherm_lock_file(int descriptor);

/* Gives the file its size, with blocks behind every byte unless it is sparse. */
int isotherm_size_file(int descriptor, uint64_t byte_count, int is_sparse);
/* Makes the directory entry of `path` durable. */
int isotherm_sync_directory(const char *path);

/* One transfer, which may be short; interrupted ones are repeated. */
int64_t isotherm_read_at(int descriptor, void *to, size_t byte_count, uint64_t offset);
int64_t isotherm_write_at(int descriptor, const void *from, size_t byte_count, uint64_t offset);
int isotherm_sync_data(int descriptor);

int isotherm_open_event(void);
/* Adds one to the event's counter. */
int isotherm_raise_event(int descriptor);
/* Waits until the event's counter is not zero and takes it; 0 when `timeout` milliseconds pass
   first, 1 when it was taken.  A negative timeout waits for ever. */
int isotherm_await_event(int descriptor, int timeout);

uint64_t isotherm_monotonic_nanoseconds(void);
int64_t isotherm_wall_seconds(void);
/* The words for an error number; NULL when it has none. */
const char *isotherm_error_text(int number);
int isotherm_random(void *to, size_t byte_count);

#endif
