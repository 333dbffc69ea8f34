#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct start {
    void (*body)(void *);
    void *context;
    int processor;
    char name[16];
};

static void *run(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    pthread_setname_np(pthread_self(), start.name);
    if (start.processor >= 0) {
        /* Staying on one processor is a wish: a container may not own it. */
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(start.processor, &set);
        pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    start.body(start.context);
    return NULL;
}

int isotherm_thread_start(uint64_t *thread, const char *name, size_t stack_byte_count,
                          int processor, void (*body)(void *context), void *context) {
    struct start *start = calloc(1, sizeof *start);
    if (!start) return -ENOMEM;
    start->body = body;
    start->context = context;
    start->processor = processor < CPU_SETSIZE ? processor : -1;
    strncpy(start->name, name, sizeof start->name - 1);

    pthread_attr_t attributes;
    pthread_t handle;
    int error = pthread_attr_init(&attributes);
    if (!error) {
        error = pthread_attr_setstacksize(&attributes, stack_byte_count);
        if (!error) error = pthread_create(&handle, &attributes, run, start);
        pthread_attr_destroy(&attributes);
    }
    if (error) {
        free(start);
        return -error;
    }
    *thread = (uint64_t)handle;
    return 0;
}

int isotherm_thread_join(uint64_t thread) { return -pthread_join((pthread_t)thread, NULL); }

int isotherm_processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return -errno;
    return CPU_COUNT(&set);
}

int isotherm_watch_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error) return -error;
    int descriptor = signalfd(-1, &set, SFD_CLOEXEC);
    return isotherm_above_standard(descriptor < 0 ? -errno : descriptor);
}

int isotherm_await_signal(int descriptor, int timeout) {
    struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
    int ready = poll(&wanted, 1, timeout);
    if (ready < 0) return errno == EINTR ? 0 : -errno;
    if (ready == 0) return 0;
    struct signalfd_siginfo information;
    ssize_t count = read(descriptor, &information, sizeof information);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    return (int)information.ssi_signo;
}

int isotherm_ignore_broken_pipes(void) {
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
}
