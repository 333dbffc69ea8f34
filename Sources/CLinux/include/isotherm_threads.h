/* Threads, and signals as something to wait for.

   Functions return zero or a descriptor, or the negated error number. */
#ifndef ISOTHERM_THREADS_H
#define ISOTHERM_THREADS_H

#include <stddef.h>
#include <stdint.h>

/* Starts a thread that runs `body(context)`.  At most 15 bytes of `name` are kept.  `processor` is
   the one to stay on; negative for any.  `thread` receives the handle for the join. */
int isotherm_thread_start(uint64_t *thread, const char *name, size_t stack_byte_count,
                          int processor, void (*body)(void *context), void *context);
int isotherm_thread_join(uint64_t thread);
/* Processors that this process may run on. */
int isotherm_processor_count(void);

/* Blocks SIGTERM, SIGINT and SIGHUP in this thread, and in those it starts from then on, and
   returns a descriptor that they can be read from. */
int isotherm_watch_signals(void);
/* Waits for one of them and returns its number; 0 when `timeout` milliseconds pass first. */
int isotherm_await_signal(int descriptor, int timeout);
int isotherm_ignore_broken_pipes(void);

#endif
