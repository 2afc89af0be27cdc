/* Guest memory as a device sees it: bounds, byte order, and buffers in pieces. Any device in C may use this. */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RAM_BYTES (1 << 20)
static uint8_t ram[RAM_BYTES];

/* A range of guest memory, or NULL when one byte of it is outside. The sum is never formed, since it may wrap. */
static inline uint8_t *guest(uint64_t gpa, uint64_t bytes) {
    return bytes <= RAM_BYTES && gpa <= RAM_BYTES - bytes ? ram + gpa : NULL;
}

/* Little-endian fields of at most 8 bytes. */
static inline uint64_t get(const uint8_t *from, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)from[i] << 8 * i;
    return value;
}

static inline void put(uint8_t *to, int bytes, uint64_t value) {
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* The upper or lower half of a 64-bit register that is written in two steps. */
static inline void set_half(uint64_t *field, bool high, uint32_t value) {
    *field = high ? (*field & UINT32_MAX) | (uint64_t)value << 32 : (*field & ~(uint64_t)UINT32_MAX) | value;
}

/* A buffer of a driver lies in pieces. */
struct segment {
    uint8_t *at;
    uint64_t bytes;
};

static inline uint64_t total(const struct segment *s, int count) {
    uint64_t bytes = 0;
    while (count-- > 0) bytes += s++->bytes;
    return bytes;
}

/* What of a segment lies between the bytes `skip` and `skip + bytes` of its buffer; `skip` moves on. */
static inline uint64_t part(const struct segment *s, uint64_t *skip, uint64_t bytes, uint8_t **at) {
    if (s->bytes <= *skip) {
        *skip -= s->bytes;
        return 0;
    }
    uint64_t here = s->bytes - *skip < bytes ? s->bytes - *skip : bytes;
    *at = s->at + *skip;
    *skip = 0;
    return here;
}

/* Copies `bytes` out of a buffer, from its byte `skip` on. */
static inline void gather(const struct segment *s, int count, uint64_t skip, uint8_t *to, uint64_t bytes) {
    uint8_t *at = NULL;
    for (uint64_t here; count > 0 && bytes > 0; s++, count--, to += here, bytes -= here)
        if ((here = part(s, &skip, bytes, &at))) memmove(to, at, here);
}

/* Copies `bytes` into a buffer, from its byte `skip` on. */
static inline void scatter(const struct segment *s, int count, uint64_t skip, const uint8_t *from, uint64_t bytes) {
    uint8_t *at = NULL;
    for (uint64_t here; count > 0 && bytes > 0; s++, count--, from += here, bytes -= here)
        if ((here = part(s, &skip, bytes, &at))) memmove(at, from, here);
}

static inline void clear(const struct segment *s, int count) {
    for (; count > 0; s++, count--)
        if (s->bytes) memset(s->at, 0, s->bytes);
}

#endif
