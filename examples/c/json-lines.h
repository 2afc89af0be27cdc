/*
 * The wire protocol of iospec for adapters in C: one flat JSON object per line, one reply line per request.
 *
 * Copy this file and json-lines.c beside a device; nothing in them knows what the device is. An adapter is a struct
 * of functions; `serve` reads requests, keeps guest memory, calls the functions and writes the replies.
 */
#ifndef JSON_LINES_H
#define JSON_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adapter {
    const char *description; /* the fields of the reply to `hello`, from "name" on, without braces */
    uint8_t *ram;            /* guest memory, from guest-physical address 0 on */
    size_t ram_bytes;
    /* A CPU accesses the `space` "mmio", "port", "config" or "hypercall"; what nobody claims reads as all ones. */
    uint64_t (*read)(const char *space, uint64_t address, int width);
    void (*write)(const char *space, uint64_t address, int width, uint64_t value);
    bool (*reset)(const char *kind); /* false: there is no such reset */
    void (*other)(const char *call); /* further calls, or NULL; one that is not answered is "unsupported" */
};

/* Runs until `bye` or the end of input. Malformed lines are refused and reach no function. */
void serve(const struct adapter *adapter);

/* Remembers what happened, as in event("\"kind\":\"line\",\"level\":%s", "true"), until the harness asks for it. */
void event(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For `other`: fields of the request. One that is missing or of another kind refuses the request: no return then. */
const char *text_field(const char *name);
uint64_t number_field(const char *name);                /* a number, or a string "0x..." */
uint8_t *bytes_field(const char *name, size_t *length); /* base64; decoded in place, valid until the next request */

/* For `other`: the answer, exactly one. */
void reply(const char *format, ...) __attribute__((format(printf, 1, 2))); /* the fields of the result */
void reply_done(void);                                                      /* carried out, nothing to tell */
void reply_bytes(const char *name, const uint8_t *data, size_t length);
void refuse(const char *why) __attribute__((noreturn)); /* an error; no return */

#endif
