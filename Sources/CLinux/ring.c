#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SAME_PLACE(ours, theirs)                                                                   \
    _Static_assert(offsetof(struct isotherm_submission, ours)                                      \
                       == offsetof(struct io_uring_sqe, theirs),                                   \
                   "a submission entry is laid out as the kernel's")
SAME_PLACE(opcode, opcode);
SAME_PLACE(flags, flags);
SAME_PLACE(priority, ioprio);
SAME_PLACE(descriptor, fd);
SAME_PLACE(offset, off);
SAME_PLACE(address, addr);
SAME_PLACE(byte_count, len);
SAME_PLACE(operation_flags, rw_flags);
SAME_PLACE(user_data, user_data);
SAME_PLACE(buffer_index, buf_index);
SAME_PLACE(personality, personality);
SAME_PLACE(file_index, splice_fd_in);
_Static_assert(sizeof(struct isotherm_submission) == sizeof(struct io_uring_sqe), "64 bytes");
_Static_assert(sizeof(struct isotherm_ring_completion) == sizeof(struct io_uring_cqe), "16 bytes");

static int result_of(long value) { return value < 0 ? -errno : (int)value; }

/* Maps the memory of a ring whose descriptor and counts are known.  The index array of the
   submission ring is set to the identity once, so that an entry's place is its index. */
static int map_ring(struct isotherm_ring *ring, const struct io_uring_params *params) {
    size_t entries = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
    size_t completions =
        params->cq_off.cqes + params->cq_entries * sizeof(struct isotherm_ring_completion);
    ring->rings_byte_count = entries > completions ? entries : completions;
    ring->submissions_byte_count = params->sq_entries * sizeof(struct isotherm_submission);

    char *rings = mmap(NULL, ring->rings_byte_count, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_POPULATE, ring->descriptor, IORING_OFF_SQ_RING);
    if (rings == MAP_FAILED) return -errno;
    void *submissions = mmap(NULL, ring->submissions_byte_count, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_POPULATE, ring->descriptor, IORING_OFF_SQES);
    if (submissions == MAP_FAILED) {
        int error = errno;
        munmap(rings, ring->rings_byte_count);
        return -error;
    }
    ring->rings = rings;
    ring->submissions = submissions;
    ring->submission_head = (uint32_t *)(rings + params->sq_off.head);
    ring->submission_tail = (uint32_t *)(rings + params->sq_off.tail);
    ring->completion_head = (uint32_t *)(rings + params->cq_off.head);
    ring->completion_tail = (uint32_t *)(rings + params->cq_off.tail);
    ring->completion_overflow = (uint32_t *)(rings + params->cq_off.overflow);
    ring->completions = (struct isotherm_ring_completion *)(rings + params->cq_off.cqes);
    uint32_t *order = (uint32_t *)(rings + params->sq_off.array);
    for (uint32_t i = 0; i < params->sq_entries; i++) order[i] = i;
    return 0;
}

int isotherm_ring_open(struct isotherm_ring *ring, uint32_t submission_count,
                       uint32_t completion_count, uint32_t setup_flags) {
    struct io_uring_params params;
    memset(&params, 0, sizeof params);
    memset(ring, 0, sizeof *ring);
    params.flags = setup_flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = completion_count;
    int descriptor =
        isotherm_above_standard(result_of(syscall(__NR_io_uring_setup, submission_count, &params)));
    if (descriptor < 0) return descriptor;
    ring->descriptor = descriptor;
    ring->features = params.features;
    ring->submission_count = params.sq_entries;
    ring->completion_count = params.cq_entries;
    int result = params.features & IORING_FEAT_SINGLE_MMAP ? map_ring(ring, &params) : -ENOSYS;
    if (result < 0) close(descriptor);
    return result;
}

void isotherm_ring_close(struct isotherm_ring *ring) {
    munmap(ring->submissions, ring->submissions_byte_count);
    munmap(ring->rings, ring->rings_byte_count);
    close(ring->descriptor);
}

int isotherm_ring_enter(int descriptor, uint32_t submit_count, uint32_t wait_count,
                        int64_t timeout) {
    uint32_t flags = IORING_ENTER_GETEVENTS;
    if (timeout < 0 || wait_count == 0)
        return result_of(syscall(__NR_io_uring_enter, descriptor, submit_count, wait_count, flags,
                                 NULL, _NSIG / 8));
    struct isotherm_timespec limit = {timeout / 1000000000, timeout % 1000000000};
    struct io_uring_getevents_arg argument;
    memset(&argument, 0, sizeof argument);
    argument.sigmask_sz = _NSIG / 8;
    argument.ts = (uint64_t)(uintptr_t)&limit;
    return result_of(syscall(__NR_io_uring_enter, descriptor, submit_count, wait_count,
                             flags | IORING_ENTER_EXT_ARG, &argument, sizeof argument));
}

static int register_with(int descriptor, uint32_t opcode, void *argument, uint32_t count) {
    return result_of(syscall(__NR_io_uring_register, descriptor, opcode, argument, count));
}

int isotherm_ring_enable(int descriptor) {
    return register_with(descriptor, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int isotherm_ring_probe(int descriptor, uint64_t *supported) {
    union {
        struct io_uring_probe probe;
        char space[sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op)];
    } answer;
    memset(&answer, 0, sizeof answer);
    int result = register_with(descriptor, IORING_REGISTER_PROBE, &answer, 256);
    if (result < 0) return result;
    memset(supported, 0, 4 * sizeof *supported);
    for (int i = 0; i < answer.probe.ops_len; i++) {
        const struct io_uring_probe_op *operation = &answer.probe.ops[i];
        if (operation->flags & IO_URING_OP_SUPPORTED)
            supported[operation->op / 64] |= (uint64_t)1 << (operation->op % 64);
    }
    return 0;
}

int isotherm_ring_register_files(int descriptor, uint32_t count) {
    int32_t table[4096];
    if (count > 4096) return -EINVAL;
    for (uint32_t i = 0; i < count; i++) table[i] = -1;
    return register_with(descriptor, IORING_REGISTER_FILES, table, count);
}

int isotherm_ring_update_file(int descriptor, uint32_t slot, int file) {
    int32_t value = file;
    struct io_uring_files_update update;
    memset(&update, 0, sizeof update);
    update.offset = slot;
    update.fds = (uint64_t)(uintptr_t)&value;
    return register_with(descriptor, IORING_REGISTER_FILES_UPDATE, &update, 1);
}
