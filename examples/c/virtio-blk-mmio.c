/*
 * A virtio block device behind the MMIO transport (VIRTIO 1.3, sections 2.7, 4.2 and 5.2), with its guest memory.
 * A write to QueueNotify carries out everything that is available before it is answered.
 * It trusts its driver with nothing: what cannot be carried out sets DEVICE_NEEDS_RESET.
 */
#include "guest-memory.h"
#include "json-lines.h"

#define BASE 0x10000000u
#define WINDOW_BYTES 0x200u
#define SECTORS 128
#define QUEUE_SIZE_MAX 256
#define OFFERED (1ull << 9 | 1ull << 28 | 1ull << 29 | 1ull << 32) /* FLUSH, INDIRECT_DESC, EVENT_IDX, VERSION_1 */
#define EVENT_IDX (driver_features >> 29 & 1)
#define INDIRECT_DESC (driver_features >> 28 & 1)

enum { DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { USED_BUFFER = 1, CONFIGURATION = 2 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8 };
enum { OK = 0, IOERR = 1, UNSUPP = 2 };

static uint8_t disk[SECTORS * 512];
static uint64_t driver_features, area[3]; /* descriptors, driver (available ring), device (used ring) */
static uint32_t device_features_sel, driver_features_sel, queue_sel, queue_size, queue_ready, interrupt, status;
static uint16_t last_avail, used_idx;

static void set_interrupt(uint32_t value) {
    if (!interrupt != !value)
        event("\"kind\":\"line\",\"device\":\"blk0\",\"pin\":0,\"level\":%s", value ? "true" : "false");
    interrupt = value;
}

static void device_reset(void) {
    driver_features = 0;
    memset(area, 0, sizeof area);
    device_features_sel = driver_features_sel = queue_sel = queue_size = queue_ready = status = 0;
    set_interrupt(0);
}

static struct segment segments[QUEUE_SIZE_MAX];
static int readable, writable; /* number of segments: those the device reads come first, then those it writes */

/* Gathers the chain of `head` into segments; false when it is malformed. */
static bool walk(uint8_t *table, uint64_t entries, uint64_t head) {
    bool indirect = false;
    uint64_t room = RAM_BYTES;
    readable = writable = 0;
    for (uint64_t at = head; readable + writable < (int)queue_size;) { /* no chain is longer: this ends loops */
        if (at >= entries) return false;
        uint64_t gpa = get(table + 16 * at, 8), bytes = get(table + 16 * at + 8, 4);
        uint16_t flags = (uint16_t)get(table + 16 * at + 12, 2);
        uint8_t *data = guest(gpa, bytes);
        if (!data) return false;
        if (flags & INDIRECT) { /* its WRITE flag means nothing, 2.7.5.3.2 */
            if (indirect || !INDIRECT_DESC || flags & NEXT || bytes == 0 || bytes % 16) return false;
            indirect = true;
            table = data;
            entries = bytes / 16;
            at = 0;
            continue;
        }
        if (!(flags & WRITE) && writable) return false; /* readable after writable, 2.7.4.2 */
        if (bytes > room) return false; /* a buffer larger than memory lies on itself */
        room -= bytes;
        segments[readable + writable] = (struct segment){data, bytes};
        *(flags & WRITE ? &writable : &readable) += 1;
        if (!(flags & NEXT)) return true;
        at = get(table + 16 * at + 14, 2);
    }
    return false;
}

/* Carries out the request that `walk` gathered. Returns the bytes written, 0 when it has no room for a status. */
static uint64_t request(void) {
    static uint8_t id[20] = "iospec-c-blk";
    struct segment *in = segments + readable;
    uint64_t sent = total(segments, readable), room = total(in, writable);
    uint8_t header[16], result = OK;
    if (sent < 16 || room < 1) return 0;
    gather(segments, readable, 0, header, 16);
    uint64_t type = get(header, 4), sector = get(header + 8, 8), data = type == IN ? room - 1 : sent - 16;
    bool inside = data % 512 == 0 && data / 512 <= SECTORS && sector <= SECTORS - data / 512;
    clear(in, writable); /* whatever follows, every byte that used.len counts has been written */
    if (type == IN && inside) scatter(in, writable, 0, disk + sector * 512, data);
    else if (type == OUT && inside) gather(segments, readable, 16, disk + sector * 512, data);
    else if (type == GET_ID) scatter(in, writable, 0, id, room - 1 < 20 ? room - 1 : 20);
    else if (type != FLUSH) result = type == IN || type == OUT ? IOERR : UNSUPP;
    scatter(in, writable, room - 1, &result, 1);
    return room;
}

/* Uses every available buffer; false when the driver broke the ring. */
static bool use_buffers(uint8_t *desc, uint8_t *avail, uint8_t *used) {
    for (uint32_t budget = queue_size + 1; budget > 0; budget--) { /* more are never there: memory was overwritten */
        if (EVENT_IDX) put(used + 4 + 8 * queue_size, 2, last_avail); /* avail_event, then a look at avail.idx */
        uint16_t waiting = (uint16_t)(get(avail + 2, 2) - last_avail);
        if (waiting == 0) return true;
        if (waiting > queue_size) return false;
        uint16_t head = (uint16_t)get(avail + 4 + 2 * (last_avail % queue_size), 2);
        if (!walk(desc, queue_size, head)) return false;
        uint64_t written = request();
        if (written == 0) return false;
        last_avail++;
        put(used + 4 + 8 * (used_idx % queue_size), 4, head);
        put(used + 8 + 8 * (used_idx % queue_size), 4, written);
        put(used + 2, 2, ++used_idx);
    }
    return false;
}

static void notified(void) {
    if ((status & (DRIVER_OK | FEATURES_OK | NEEDS_RESET)) != (DRIVER_OK | FEATURES_OK) || !queue_ready) return;
    uint8_t *desc = guest(area[0], 16 * queue_size), *avail = guest(area[1], 6 + 2 * queue_size);
    uint8_t *used = guest(area[2], 6 + 8 * queue_size);
    uint16_t before = used_idx;
    bool sound = desc && avail && used && use_buffers(desc, avail, used);
    if (used_idx != before) { /* what the driver wants is sampled after used.idx is there to be seen, 2.7.10.1 */
        uint16_t used_event = (uint16_t)get(avail + 4 + 2 * queue_size, 2);
        bool passed = (uint16_t)(used_idx - used_event - 1) < (uint16_t)(used_idx - before);
        if (EVENT_IDX ? passed : !(get(avail, 2) & 1)) set_interrupt(interrupt | USED_BUFFER);
    }
    if (sound) return;
    status |= NEEDS_RESET;
    set_interrupt(interrupt | CONFIGURATION);
}

static uint64_t read_space(const char *space, uint64_t address, int width) {
    uint8_t config[WINDOW_BYTES - 0x100 + 8] = {SECTORS};
    if (strcmp(space, "mmio") || address < BASE || address >= BASE + WINDOW_BYTES) return UINT64_MAX;
    if (address >= BASE + 0x100) return get(config + (address - BASE - 0x100), width);
    if (width != 4) return 0;
    switch (address - BASE) {
    case 0x000: return 0x74726976;
    case 0x004: return 2; /* not legacy */
    case 0x008: return 2; /* a block device */
    case 0x00c: return 0x4f495053;
    case 0x010: return device_features_sel < 2 ? OFFERED >> 32 * device_features_sel : 0;
    case 0x034: return queue_sel == 0 ? QUEUE_SIZE_MAX : 0;
    case 0x044: return queue_sel == 0 ? queue_ready : 0;
    case 0x060: return interrupt;
    case 0x070: return status;
    default: return 0;
    }
}

static void set_status(uint32_t value) {
    if (value == 0) return device_reset();
    bool acceptable = !(driver_features & ~OFFERED) && driver_features >> 32 & 1;
    if (!acceptable && !(status & FEATURES_OK)) value &= ~(uint32_t)FEATURES_OK;
    status = value | (status & NEEDS_RESET);
}

static void write_space(const char *space, uint64_t address, int width, uint64_t wide) {
    uint32_t value = (uint32_t)wide, at = (uint32_t)(address - BASE);
    if (strcmp(space, "mmio") || address < BASE || address >= BASE + 0x100 || address % 4 || width != 4) return;
    if (at == 0x014) device_features_sel = value;
    else if (at == 0x024) driver_features_sel = value;
    else if (at == 0x020 && driver_features_sel < 2 && !(status & FEATURES_OK))
        set_half(&driver_features, driver_features_sel, value);
    else if (at == 0x030) queue_sel = value;
    else if (at == 0x050 && value == 0) notified();
    else if (at == 0x064) set_interrupt(interrupt & ~value);
    else if (at == 0x070) set_status(value);
    else if (queue_sel != 0) return; /* the rest concerns a queue, and there is one */
    else if (at == 0x044) {
        queue_ready = value & 1 && queue_size;
        last_avail = used_idx = 0; /* a queue begins at its beginning, whatever it was used for before */
    } else if (queue_ready) return; /* a queue in use is not moved */
    else if (at == 0x038 && value <= QUEUE_SIZE_MAX && !(value & (value - 1))) queue_size = value;
    else if (at >= 0x080 && at < 0x0a8 && at % 16 <= 4) set_half(&area[(at - 0x80) / 16], at & 4, value);
}

static bool reset(const char *kind) {
    if (strcmp(kind, "system")) return false;
    memset(ram, 0, sizeof ram);
    memset(disk, 0, sizeof disk);
    device_reset();
    return true;
}

int main(void) {
    static const char description[] =
        "\"name\":\"virtio-blk-mmio in C\",\"version\":\"1\",\"vms\":1,\"cpus\":1,"
        "\"memory\":[{\"start\":\"0x0\",\"end\":\"0x100000\"}],\"devices\":[{\"id\":\"blk0\",\"kind\":\"virtio-blk\","
        "\"transport\":{\"kind\":\"mmio\",\"base\":\"0x10000000\",\"irq\":5}}],"
        "\"observes\":{\"dma\":\"none\",\"msi\":\"none\",\"line\":\"exact\",\"fault\":\"none\"},"
        "\"can\":{\"step\":false,\"save\":false,\"migrate\":false,\"fingerprint\":false,\"resets\":[\"system\"],"
        "\"controls\":[],\"synchronous\":true}";
    serve(&(struct adapter){description, ram, RAM_BYTES, read_space, write_space, reset, NULL});
    return 0;
}
