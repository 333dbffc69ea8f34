/* CRC-32C with the processor's instruction where there is one, else by table.
   A single chain of crc32q is bound by its latency of three cycles; three chains over adjacent
   stretches run side by side and are joined by a carry-less shift, done with a table of the
   operator "append 1360 zero bytes".  4096 = 3 * 1360 + 16. */
#include "CLinux.h"
#include <string.h>

#define POLYNOMIAL 0x82f63b78u
#define STRETCH 1360

static uint32_t byte_table[256];
static uint32_t shift_table[4][256];

static uint32_t step_byte(uint32_t crc, uint8_t byte) {
    return (crc >> 8) ^ byte_table[(crc ^ byte) & 0xff];
}

/* The state after `crc` has run over STRETCH zero bytes. */
static uint32_t over_zeros(uint32_t crc) {
    for (int i = 0; i < STRETCH; i++) crc = step_byte(crc, 0);
    return crc;
}

__attribute__((constructor)) static void make_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (POLYNOMIAL & -(crc & 1));
        byte_table[i] = crc;
    }
    for (int place = 0; place < 4; place++)
        for (uint32_t i = 0; i < 256; i++) shift_table[place][i] = over_zeros(i << (8 * place));
}

static uint32_t shift_stretch(uint32_t crc) {
    return shift_table[0][crc & 0xff] ^ shift_table[1][(crc >> 8) & 0xff]
        ^ shift_table[2][(crc >> 16) & 0xff] ^ shift_table[3][crc >> 24];
}

static uint32_t by_table(uint32_t crc, const uint8_t *from, size_t n) {
    while (n--) crc = step_byte(crc, *from++);
    return crc;
}

#if defined(__x86_64__)
static inline uint64_t load64(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}
static inline void store64(uint8_t *p, uint64_t word) { memcpy(p, &word, 8); }

/* `to` may be null: then nothing is stored. */
__attribute__((target("sse4.2"), always_inline)) static inline uint32_t
by_instruction(uint32_t crc, uint8_t *to, const uint8_t *from, size_t n) {
    uint64_t a = crc;
    while (n >= 3 * STRETCH) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < STRETCH; i += 8) {
            uint64_t x = load64(from + i), y = load64(from + STRETCH + i),
                     z = load64(from + 2 * STRETCH + i);
            if (to) {
                store64(to + i, x);
                store64(to + STRETCH + i, y);
                store64(to + 2 * STRETCH + i, z);
            }
            a = __builtin_ia32_crc32di(a, x);
            b = __builtin_ia32_crc32di(b, y);
            c = __builtin_ia32_crc32di(c, z);
        }
        a = shift_stretch(shift_stretch((uint32_t)a)) ^ shift_stretch((uint32_t)b) ^ (uint32_t)c;
        from += 3 * STRETCH;
        if (to) to += 3 * STRETCH;
        n -= 3 * STRETCH;
    }
    while (n >= 8) {
        uint64_t x = load64(from);
        if (to) {
            store64(to, x);
            to += 8;
        }
        a = __builtin_ia32_crc32di(a, x);
        from += 8;
        n -= 8;
    }
    while (n--) {
        if (to) *to++ = *from;
        a = __builtin_ia32_crc32qi((uint32_t)a, *from++);
    }
    return (uint32_t)a;
}

__attribute__((target("sse4.2"))) static uint32_t read_only(uint32_t crc, const uint8_t *from,
                                                            size_t n) {
    return by_instruction(crc, NULL, from, n);
}
__attribute__((target("sse4.2"))) static uint32_t copying(uint32_t crc, uint8_t *to,
                                                          const uint8_t *from, size_t n) {
    return by_instruction(crc, to, from, n);
}
#endif

uint32_t isotherm_crc32c(uint32_t crc, const void *bytes, size_t n) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~read_only(~crc, bytes, n);
#endif
    return ~by_table(~crc, bytes, n);
}

uint32_t isotherm_copy_crc32c(uint32_t crc, void *to, const void *from, size_t n) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~copying(~crc, to, from, n);
#endif
    memcpy(to, from, n);
    return ~by_table(~crc, from, n);
}

uint32_t isotherm_crc32c_zeros(uint32_t crc, size_t n) {
    crc = ~crc;
    while (n--) crc = step_byte(crc, 0);
    return ~crc;
}

uint32_t isotherm_crc32c_pair(uint32_t crc, uint64_t first, uint64_t second) {
    uint64_t words[2] = {first, second};
    return isotherm_crc32c(crc, words, sizeof words);
}
