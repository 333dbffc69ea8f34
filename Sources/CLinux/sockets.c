#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static int result_of(int value) { return value < 0 ? -errno : value; }

static int open_socket(int family, int type, int protocol) {
    return isotherm_above_standard(result_of(socket(family, type | SOCK_CLOEXEC, protocol)));
}

/* Closes the socket and passes the error on. */
static int give_up(int descriptor, int error) {
    close(descriptor);
    return -error;
}

static int connect_again(int descriptor, const struct sockaddr *address, socklen_t byte_count) {
    int result;
    do result = connect(descriptor, address, byte_count);
    while (result < 0 && errno == EINTR);
    return result_of(result);
}

static int fill_unix(struct sockaddr_un *address, const char *path) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    size_t count = strlen(path);
    if (count == 0) return -ENOENT;
    if (count >= sizeof address->sun_path) return -ENAMETOOLONG;
    memcpy(address->sun_path, path, count);
    return 0;
}

/* Removes a socket file that refuses connections: what a killed process left behind. */
static int remove_stale(const struct sockaddr_un *address) {
    struct stat status;
    if (lstat(address->sun_path, &status) < 0) return -errno;
    if (!S_ISSOCK(status.st_mode)) return -EADDRINUSE;
    int probe = open_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (probe < 0) return probe;
    int result = connect_again(probe, (const struct sockaddr *)address, sizeof *address);
    close(probe);
    if (result != -ECONNREFUSED) return -EADDRINUSE;
    return result_of(unlink(address->sun_path));
}

int isotherm_listen_unix(const char *path, uint32_t mode, int backlog) {
    struct sockaddr_un address;
    int result = fill_unix(&address, path);
    if (result < 0) return result;
    int descriptor = open_socket(AF_UNIX, SOCK_STREAM, 0);
    if (descriptor < 0) return descriptor;
    const struct sockaddr *generic = (const struct sockaddr *)&address;
    if (bind(descriptor, generic, sizeof address) < 0) {
        if (errno != EADDRINUSE) return give_up(descriptor, errno);
        result = remove_stale(&address);
        if (result < 0) return give_up(descriptor, -result);
        if (bind(descriptor, generic, sizeof address) < 0) return give_up(descriptor, errno);
    }
    /* The mode is set before the first connection can be made. */
    if (chmod(path, mode) < 0 || listen(descriptor, backlog) < 0) {
        int error = errno;
        unlink(path);
        return give_up(descriptor, error);
    }
    return descriptor;
}

static int resolve(const char *host, uint16_t port, int flags, struct addrinfo **found) {
    struct addrinfo wanted;
    char service[8];
    memset(&wanted, 0, sizeof wanted);
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = flags | AI_NUMERICSERV;
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int code = getaddrinfo(host, service, &wanted, found);
    if (code == 0) return 0;
    if (code == EAI_SYSTEM) return -errno;
    return -ISOTHERM_NO_ADDRESS - (code < 0 ? -code : code);
}

const char *isotherm_resolution_text(int code) { return gai_strerror(-code); }

static int listen_at(const struct addrinfo *place, int backlog) {
    int on = 1;
    int descriptor = open_socket(place->ai_family, place->ai_socktype, place->ai_protocol);
    if (descriptor < 0) return descriptor;
    /* Accepted connections take TCP_NODELAY over from the listening socket. */
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
        || setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0
        || bind(descriptor, place->ai_addr, place->ai_addrlen) < 0
        || listen(descriptor, backlog) < 0)
        return give_up(descriptor, errno);
    return descriptor;
}

int isotherm_listen_tcp(const char *host, uint16_t port, int backlog) {
    struct addrinfo *found;
    int result = resolve(host, port, AI_PASSIVE, &found);
    if (result < 0) return result;
    result = -EADDRNOTAVAIL;
    for (const struct addrinfo *place = found; place && result < 0; place = place->ai_next)
        result = listen_at(place, backlog);
    freeaddrinfo(found);
    return result;
}

int isotherm_bound_port(int descriptor) {
    struct sockaddr_storage address;
    socklen_t byte_count = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &byte_count) < 0) return -errno;
    if (address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return -EAFNOSUPPORT;
}

int isotherm_connect_unix(const char *path) {
    struct sockaddr_un address;
    int result = fill_unix(&address, path);
    if (result < 0) return result;
    int descriptor = open_socket(AF_UNIX, SOCK_STREAM, 0);
    if (descriptor < 0) return descriptor;
    result = connect_again(descriptor, (const struct sockaddr *)&address, sizeof address);
    return result < 0 ? give_up(descriptor, -result) : descriptor;
}

int isotherm_connect_tcp(const char *host, uint16_t port) {
    struct addrinfo *found;
    int on = 1;
    int result = resolve(host, port, 0, &found);
    if (result < 0) return result;
    result = -EADDRNOTAVAIL;
    for (const struct addrinfo *place = found; place && result < 0; place = place->ai_next) {
        int descriptor = open_socket(place->ai_family, place->ai_socktype, place->ai_protocol);
        result = descriptor;
        if (descriptor < 0) continue;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        result = connect_again(descriptor, place->ai_addr, place->ai_addrlen);
        result = result < 0 ? give_up(descriptor, -result) : descriptor;
    }
    freeaddrinfo(found);
    return result;
}

int isotherm_socket_pair(int *first, int *second) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    *first = isotherm_above_standard(pair[0]);
    *second = isotherm_above_standard(pair[1]);
    if (*first >= 0 && *second >= 0) return 0;
    int error = *first < 0 ? *first : *second;
    if (*first >= 0) close(*first);
    if (*second >= 0) close(*second);
    return error;
}

int isotherm_accept(int descriptor) {
    int connection;
    do connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC);
    while (connection < 0 && errno == EINTR);
    return isotherm_above_standard(result_of(connection));
}

int64_t isotherm_send(int descriptor, const void *from, size_t byte_count) {
    ssize_t count;
    do count = send(descriptor, from, byte_count, MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

int64_t isotherm_receive(int descriptor, void *to, size_t byte_count) {
    ssize_t count;
    do count = recv(descriptor, to, byte_count, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

int isotherm_shut_down(int descriptor) { return result_of(shutdown(descriptor, SHUT_RDWR)); }

int isotherm_limit_socket_wait(int descriptor, uint32_t milliseconds) {
    struct timeval limit = {milliseconds / 1000, (milliseconds % 1000) * 1000};
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) return -errno;
    return result_of(setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
}

int isotherm_remove_file(const char *path) { return result_of(unlink(path)); }

struct isotherm_message {
    struct msghdr header;
    struct iovec parts[];
};

struct isotherm_message *isotherm_message_make(size_t part_count_max) {
    return calloc(1, sizeof(struct isotherm_message) + part_count_max * sizeof(struct iovec));
}

void isotherm_message_free(struct isotherm_message *message) { free(message); }

void *isotherm_message_header(struct isotherm_message *message) { return &message->header; }

void isotherm_message_set_part(struct isotherm_message *message, size_t index, void *base,
                               size_t byte_count) {
    message->parts[index].iov_base = base;
    message->parts[index].iov_len = byte_count;
}

void isotherm_message_set_range(struct isotherm_message *message, size_t first, size_t count) {
    message->header.msg_iov = message->parts + first;
    message->header.msg_iovlen = count;
}
