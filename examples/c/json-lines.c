/* See json-lines.h. Lines are scanned in place: no memory is allocated, and every bound is a constant of this file. */
#include "json-lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES (1 << 20)
#define FIELDS_MAX 32
#define EVENTS_MAX_BYTES (1 << 19)

struct field {
    const char *name;
    char *value;
    char kind; /* 's' string, 'n' number, 'w' true, false or null */
};

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static char input[LINE_MAX_BYTES + 1];
static size_t input_start, input_end;
static struct field fields[FIELDS_MAX];
static int field_count;
static char events[EVENTS_MAX_BYTES];
static size_t events_length;
static unsigned long long id;
static bool answered;
static jmp_buf next_request;

/* The next line without its line feed, or NULL at the end of input. Output is flushed only when we have to wait. */
static char *read_line(void) {
    size_t scanned = input_start;
    bool skipping = false; /* in the rest of a line that was too long */
    for (;;) {
        char *end = memchr(input + scanned, '\n', input_end - scanned);
        if (end) {
            char *line = input + input_start;
            *end = 0;
            input_start = (size_t)(end - input) + 1;
            if (strlen(line) != (size_t)(end - line)) line = ""; /* a NUL byte is not JSON */
            return skipping ? "" : line;
        }
        memmove(input, input + input_start, input_end - input_start);
        input_end -= input_start;
        input_start = 0;
        if (input_end == LINE_MAX_BYTES) {
            skipping = true;
            input_end = 0;
        }
        scanned = input_end;
        fflush(stdout);
        ssize_t got = read(0, input + input_end, LINE_MAX_BYTES - input_end);
        if (got <= 0) return NULL;
        input_end += (size_t)got;
    }
}

static char *skip_space(char *p) {
    while (*p == ' ' || *p == '\t' || *p == '\r') p++;
    return p;
}

/* Scans the string that begins after its quote; unescapes in place. Returns what follows it, or NULL. */
static char *scan_string(char *p) {
    char *to = p;
    for (; *p != '"'; p++) {
        if (*p == 0) return NULL;
        if (*p != '\\') {
            *to++ = *p;
            continue;
        }
        static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
        p++;
        if (*p == 'u') { /* names and numbers are ASCII: anything else becomes a question mark */
            for (int i = 1; i <= 4; i++)
                if (!strchr("0123456789abcdefABCDEF", p[i]) || !p[i]) return NULL;
            char digits[5] = {p[1], p[2], p[3], p[4], 0};
            unsigned long code = strtoul(digits, NULL, 16);
            *to++ = code > 0 && code < 0x80 ? (char)code : '?';
            p += 4;
            continue;
        }
        const char *found = NULL;
        for (const char *e = escapes; *e; e += 2)
            if (*e == *p) found = e;
        if (!found) return NULL;
        *to++ = found[1];
    }
    char *after = p + 1;
    *to = 0;
    return after;
}

static bool is_word(const char *p, size_t length, const char *word) {
    return length == strlen(word) && !memcmp(p, word, length);
}

/* Scans a value and puts a NUL behind it; `*after` is the character that stood there. Returns its place, or NULL. */
static char *scan_value(char *p, struct field *field, char *after) {
    char *end;
    if (*p == '"') {
        field->kind = 's';
        field->value = p + 1;
        end = scan_string(p + 1);
        if (!end) return NULL;
    } else {
        end = p + strspn(p, "+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        size_t length = (size_t)(end - p);
        field->value = p;
        field->kind = 'n';
        if (length == 0) return NULL;
        if (is_word(p, length, "true") || is_word(p, length, "false") || is_word(p, length, "null"))
            field->kind = 'w';
        else if (length > 20 || strspn(p, "0123456789") != length)
            return NULL; /* nothing in the protocol is negative or a fraction */
    }
    char *follows = skip_space(end);
    *after = *follows;
    *end = 0;
    return follows;
}

/* Splits a line into fields; false when it is not one flat JSON object. */
static bool scan_line(char *p) {
    field_count = 0;
    p = skip_space(p);
    if (*p++ != '{') return false;
    p = skip_space(p);
    for (char after = ','; after == ',';) {
        if (*p != '"' || field_count == FIELDS_MAX) return false;
        struct field *field = &fields[field_count++];
        field->name = p + 1;
        if (!(p = scan_string(p + 1))) return false;
        p = skip_space(p);
        if (*p++ != ':') return false;
        if (!(p = scan_value(skip_space(p), field, &after))) return false;
        if (after == '}') return *skip_space(p + 1) == 0;
        if (after == ',') p = skip_space(p + 1);
    }
    return false;
}

static struct field *find(const char *name) {
    for (int i = 0; i < field_count; i++)
        if (!strcmp(fields[i].name, name)) return &fields[i];
    return NULL;
}

static struct field *need(const char *name, char kind) {
    static char why[64];
    struct field *field = find(name);
    if (field && strchr(kind == 'n' ? "ns" : "s", field->kind)) return field;
    snprintf(why, sizeof why, "expected a %s in %s", kind == 'n' ? "number" : "string", name);
    refuse(why);
}

const char *text_field(const char *name) { return need(name, 's')->value; }

uint64_t number_field(const char *name) {
    struct field *field = need(name, 'n');
    const char *digits = field->value;
    int base = 10;
    size_t most = 19;
    if (field->kind == 's') {
        if (strncmp(digits, "0x", 2)) refuse("expected a number such as \"0x1f\"");
        digits += 2;
        base = 16;
        most = 16;
    }
    size_t length = strspn(digits, base == 16 ? "0123456789abcdefABCDEF" : "0123456789");
    if (length == 0 || length > most || digits[length]) refuse("expected a number below 2^64");
    return strtoull(digits, NULL, base);
}

uint8_t *bytes_field(const char *name, size_t *length) {
    char *from = need(name, 's')->value;
    uint8_t *start = (uint8_t *)from, *to = start;
    size_t digits = strlen(from);
    if (digits % 4) refuse("expected base64 with padding");
    for (; digits; digits -= 4, from += 4) {
        int padding = digits > 4 ? 0 : (from[3] == '=') + (from[2] == '=' && from[3] == '=');
        uint32_t group = 0;
        for (int i = 0; i < 4 - padding; i++) {
            const char *found = strchr(base64, from[i]);
            if (!found) refuse("expected base64");
            group |= (uint32_t)(found - base64) << (18 - 6 * i);
        }
        for (int i = 0; i < 3 - padding; i++) *to++ = (uint8_t)(group >> (16 - 8 * i));
    }
    *length = (size_t)(to - start);
    return start;
}

void reply(const char *format, ...) {
    va_list arguments;
    printf("{\"id\":%llu,", id);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    puts("}");
    answered = true;
}

void reply_done(void) {
    printf("{\"id\":%llu}\n", id);
    answered = true;
}

void reply_bytes(const char *name, const uint8_t *data, size_t length) {
    printf("{\"id\":%llu,\"%s\":\"", id, name);
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)data[i] << 16;
        if (i + 1 < length) group |= (uint32_t)data[i + 1] << 8;
        if (i + 2 < length) group |= data[i + 2];
        char digits[] = {base64[group >> 18], base64[group >> 12 & 63], base64[group >> 6 & 63], base64[group & 63]};
        if (i + 1 >= length) digits[2] = '=';
        if (i + 2 >= length) digits[3] = '=';
        fwrite(digits, 1, sizeof digits, stdout);
    }
    puts("\"}");
    answered = true;
}

void refuse(const char *why) {
    printf("{\"id\":%llu,\"error\":\"", id);
    for (; *why; why++) {
        if (*why == '"' || *why == '\\') putchar('\\');
        putchar((unsigned char)*why < ' ' ? ' ' : *why);
    }
    puts("\"}");
    longjmp(next_request, 1);
}

void event(const char *format, ...) {
    va_list arguments;
    size_t start = events_length;
    if (start) events[start++] = ',';
    events[start++] = '{';
    size_t room = EVENTS_MAX_BYTES - start;
    va_start(arguments, format);
    int length = vsnprintf(events + start, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length + 4 > room) {
        fputs("more events than the adapter can hold: nobody asks for them\n", stderr);
        exit(1); /* an event must not be lost in silence */
    }
    events_length = start + (size_t)length;
    events[events_length++] = '}';
}

static uint8_t *memory(const struct adapter *adapter, uint64_t gpa, uint64_t bytes) {
    if (bytes > adapter->ram_bytes || gpa > adapter->ram_bytes - bytes) refuse("expected a range inside guest memory");
    return adapter->ram + gpa;
}

static int width_field(void) {
    uint64_t width = number_field("width");
    if (width != 1 && width != 2 && width != 4 && width != 8) refuse("expected a width of 1, 2, 4 or 8");
    return (int)width;
}

static void handle(const struct adapter *adapter, const char *call) {
    if (!strcmp(call, "read")) {
        int width = width_field();
        uint64_t mask = width == 8 ? UINT64_MAX : (1ull << 8 * width) - 1;
        uint64_t value = adapter->read(text_field("space"), number_field("address"), width);
        reply("\"value\":\"0x%llx\"", (unsigned long long)(value & mask));
    } else if (!strcmp(call, "write")) {
        adapter->write(text_field("space"), number_field("address"), width_field(), number_field("value"));
        reply_done();
    } else if (!strcmp(call, "load")) {
        uint64_t bytes = number_field("bytes");
        reply_bytes("data", memory(adapter, number_field("gpa"), bytes), bytes);
    } else if (!strcmp(call, "store")) {
        size_t length;
        uint8_t *data = bytes_field("data", &length);
        memcpy(memory(adapter, number_field("gpa"), length), data, length);
        reply_done();
    } else if (!strcmp(call, "events")) {
        reply("\"events\":[%.*s]", (int)events_length, events);
        events_length = 0;
    } else if (!strcmp(call, "settle")) { /* everything happens before its reply */
        reply("\"state\":\"quiet\"");
    } else if (!strcmp(call, "reset")) {
        if (!adapter->reset(text_field("kind"))) refuse("no such reset");
        reply_done();
    } else if (!strcmp(call, "hello")) {
        reply("\"protocol\":1,%s", adapter->description);
    } else if (adapter->other) {
        adapter->other(call);
    }
    if (!answered) reply("\"unsupported\":true");
}

void serve(const struct adapter *adapter) {
    char *line;
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    setjmp(next_request); /* `refuse` comes back here */
    while ((line = read_line())) {
        id = 0;
        answered = false;
        if (!scan_line(line)) refuse("expected one flat JSON object");
        id = number_field("id");
        const char *call = text_field("call");
        if (!strcmp(call, "bye")) {
            reply_done();
            break;
        }
        handle(adapter, call);
    }
    fflush(stdout);
}
