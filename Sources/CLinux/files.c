#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int result_of(int value) { return value < 0 ? -errno : value; }

int isotherm_above_standard(int descriptor) {
    if (descriptor < 0 || descriptor > 2) return descriptor;
    int above = result_of(fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
    close(descriptor);
    return above;
}

int isotherm_fill_standard(void) {
    for (int wanted = 0; wanted <= 2; wanted++) {
        if (fcntl(wanted, F_GETFD) >= 0) continue;
        int descriptor = open("/dev/null", O_RDWR);
        if (descriptor < 0) return -errno;
        if (descriptor == wanted) continue;
        int result = result_of(dup2(descriptor, wanted));
        close(descriptor);
        if (result < 0) return result;
    }
    return 0;
}

static int open_again(const char *path, int flags, mode_t mode) {
    int descriptor;
    do descriptor = open(path, flags | O_CLOEXEC, mode);
    while (descriptor < 0 && errno == EINTR);
    return isotherm_above_standard(result_of(descriptor));
}

int isotherm_open_device(const char *path, int is_read_only, int is_direct, int is_exclusive) {
    int flags = is_read_only ? O_RDONLY : O_RDWR;
    if (is_direct) flags |= O_DIRECT;
    if (is_exclusive) flags |= O_EXCL;
    return open_again(path, flags, 0);
}

int isotherm_create_file(const char *path) {
    return open_again(path, O_RDWR | O_CREAT | O_EXCL, 0600);
}

int isotherm_close(int descriptor) { return result_of(close(descriptor)); }

int isotherm_measure_file(int descriptor, struct isotherm_file_facts *facts) {
    struct stat status;
    memset(facts, 0, sizeof *facts);
    if (fstat(descriptor, &status) < 0) return -errno;
    facts->is_block_device = S_ISBLK(status.st_mode);
    facts->is_regular_file = S_ISREG(status.st_mode);
    facts->byte_count = (uint64_t)status.st_size;
    facts->sector_byte_count = 512;
    if (!facts->is_block_device) return 0;
    int sector = 0;
    if (ioctl(descriptor, BLKGETSIZE64, &facts->byte_count) < 0) return -errno;
    if (ioctl(descriptor, BLKSSZGET, &sector) < 0) return -errno;
    facts->sector_byte_count = (uint32_t)sector;
    return 0;
}

int isotherm_is_block_device(const char *path) {
    struct stat status;
    if (stat(path, &status) < 0) return -errno;
    return S_ISBLK(status.st_mode);
}

int isotherm_lock_file(int descriptor) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    int result = result_of(fcntl(descriptor, F_OFD_SETLK, &lock));
    return result == -EACCES ? -EAGAIN : result;
}

int isotherm_size_file(int descriptor, uint64_t byte_count, int is_sparse) {
    if (is_sparse) return result_of(ftruncate(descriptor, (off_t)byte_count));
    int error;
    do error = posix_fallocate(descriptor, 0, (off_t)byte_count);
    while (error == EINTR);
    return -error;
}

int isotherm_sync_directory(const char *path) {
    char *directory = strdup(path);
    if (!directory) return -ENOMEM;
    char *slash = strrchr(directory, '/');
    const char *name = slash == directory ? "/" : slash ? directory : ".";
    if (slash && slash != directory) *slash = 0;
    int descriptor = open_again(name, O_RDONLY | O_DIRECTORY, 0);
    free(directory);
    if (descriptor < 0) return descriptor;
    int result = result_of(fsync(descriptor));
    close(descriptor);
    return result;
}

int64_t isotherm_read_at(int descriptor, void *to, size_t byte_count, uint64_t offset) {
    ssize_t count;
    do count = pread(descriptor, to, byte_count, (off_t)offset);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

int64_t isotherm_write_at(int descriptor, const void *from, size_t byte_count, uint64_t offset) {
    ssize_t count;
    do count = pwrite(descriptor, from, byte_count, (off_t)offset);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

int isotherm_sync_data(int descriptor) {
    int result;
    do result = result_of(fdatasync(descriptor));
    while (result == -EINTR);
    return result;
}

int isotherm_open_event(void) {
    return isotherm_above_standard(result_of(eventfd(0, EFD_CLOEXEC)));
}

int isotherm_raise_event(int descriptor) {
    uint64_t one = 1;
    ssize_t count;
    do count = write(descriptor, &one, sizeof one);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : 0;
}

int isotherm_await_event(int descriptor, int timeout) {
    struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
    int ready = poll(&wanted, 1, timeout);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    if (ready == 0) return 0;
    uint64_t counter;
    ssize_t count;
    do count = read(descriptor, &counter, sizeof counter);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : 1;
}

uint64_t isotherm_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t isotherm_wall_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

const char *isotherm_error_text(int number) { return strerrordesc_np(number); }

int isotherm_random(void *to, size_t byte_count) {
    char *place = to;
    while (byte_count > 0) {
        ssize_t count = getrandom(place, byte_count, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        place += count;
        byte_count -= (size_t)count;
    }
    return 0;
}
