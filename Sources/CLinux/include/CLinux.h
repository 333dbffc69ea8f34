/* What Swift cannot reach by itself: system calls without a wrapper, constants behind macros, and
   the processor's CRC-32C instruction.  features.h comes first: it settles _GNU_SOURCE before any
   other header does, which keeps Foundation importable beside this module. */
#ifndef ISOTHERM_CLINUX_H
#define ISOTHERM_CLINUX_H

#include <features.h>
#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, reflected polynomial 0x82f63b78) of `byte_count` bytes, going on from
   `crc`, which is the result of an earlier call or zero.  isotherm_crc32c("123456789") from zero
   is 0xe3069283. */
uint32_t isotherm_crc32c(uint32_t crc, const void *bytes, size_t byte_count);

/* CRC-32C of `byte_count` zero bytes, going on from `crc`; meant for a few bytes. */
uint32_t isotherm_crc32c_zeros(uint32_t crc, size_t byte_count);

/* CRC-32C of two little-endian 64-bit words. */
uint32_t isotherm_crc32c_pair(uint32_t crc, uint64_t first, uint64_t second);

/* Copies and checksums in one pass over the source. */
uint32_t isotherm_copy_crc32c(uint32_t crc, void *to, const void *from, size_t byte_count);

#include "isotherm_files.h"
#include "isotherm_ring.h"
#include "isotherm_sockets.h"
#include "isotherm_threads.h"

#endif
