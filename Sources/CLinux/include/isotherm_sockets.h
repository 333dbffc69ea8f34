/* Stream sockets, and message headers for gathering and scattering transfers.

   Functions return zero, a count or a descriptor, or the negated error number.  Descriptors are
   closed on exec and stand above the standard three. */
#ifndef ISOTHERM_SOCKETS_H
#define ISOTHERM_SOCKETS_H

#include <stddef.h>
#include <stdint.h>

/* Listens at a path.  A socket file that nobody listens at is replaced. */
int isotherm_listen_unix(const char *path, uint32_t mode, int backlog);
/* Resolution failed: -ISOTHERM_NO_ADDRESS - n, n the resolver's code without its sign. */
#define ISOTHERM_NO_ADDRESS 100000
/* Listens at the first address of the host that can be bound.  `host` may be a name or a number. */
int isotherm_listen_tcp(const char *host, uint16_t port, int backlog);
/* The text of a resolver's code. */
const char *isotherm_resolution_text(int code);
/* The port that a TCP socket is bound to. */
int isotherm_bound_port(int descriptor);

int isotherm_connect_unix(const char *path);
int isotherm_connect_tcp(const char *host, uint16_t port);
/* Two connected sockets. */
int isotherm_socket_pair(int *first, int *second);
/* A connection out of a listening socket; waits for one. */
int isotherm_accept(int descriptor);
/* One transfer, which may be short; interrupted ones are repeated; no signal when the peer is
   gone. */
int64_t isotherm_send(int descriptor, const void *from, size_t byte_count);
int64_t isotherm_receive(int descriptor, void *to, size_t byte_count);
int isotherm_shut_down(int descriptor);
/* Bounds each blocking send and receive; they fail with -EAGAIN after that. */
int isotherm_limit_socket_wait(int descriptor, uint32_t milliseconds);
int isotherm_remove_file(const char *path);

/* A message header with room for a fixed number of parts, at a fixed address. */
struct isotherm_message;
struct isotherm_message *isotherm_message_make(size_t part_count_max);
void isotherm_message_free(struct isotherm_message *message);
void *isotherm_message_header(struct isotherm_message *message);
void isotherm_message_set_part(struct isotherm_message *message, size_t index, void *base,
                               size_t byte_count);
/* The parts from `first`, `count` of them, are what the next transfer covers. */
void isotherm_message_set_range(struct isotherm_message *message, size_t first, size_t count);

#endif
