/*
 * A target to start from: a virtio block device behind MMIO that says who it is and does nothing yet.
 * `iospec check stdio:./device` is content with it; `iospec run all` tells what is missing.
 */
#include "guest-memory.h"
#include "json-lines.h"

#define BASE 0x10000000u
#define WINDOW_BYTES 0x200u
#define MAGIC 0x74726976u
#define VERSION_1 (1ull << 32)

static uint32_t status, features_sel;

/* A register, little endian. What nobody claims reads as all ones. */
static uint64_t read_space(const char *space, uint64_t address, int width) {
    (void)width;
    if (strcmp(space, "mmio") || address < BASE || address >= BASE + WINDOW_BYTES) return UINT64_MAX;
    switch (address - BASE) {
    case 0x000: return MAGIC;
    case 0x004: return 2; /* the version of the transport */
    case 0x008: return 2; /* the device id: a block device */
    case 0x010: return VERSION_1 >> 32 * (features_sel & 1) & UINT32_MAX;
    case 0x070: return status;
    default: return 0;
    }
}

static void write_space(const char *space, uint64_t address, int width, uint64_t value) {
    (void)width;
    if (strcmp(space, "mmio") || address < BASE) return;
    if (address - BASE == 0x014) features_sel = (uint32_t)value;
    if (address - BASE == 0x070) status = (uint32_t)value;
    /* 0x050 is QueueNotify: take what is available (see `guest`, `get` and `put`), carry it out, return it, and tell
       the driver: event("\"kind\":\"line\",\"device\":\"blk0\",\"pin\":0,\"level\":true"); */
}

static bool reset(const char *kind) {
    if (strcmp(kind, "system")) return false;
    memset(ram, 0, sizeof ram);
    status = features_sel = 0;
    return true;
}

int main(void) {
    static const char description[] =
        "\"name\":\"my device\",\"version\":\"1\",\"vms\":1,\"cpus\":1,"
        "\"memory\":[{\"start\":\"0x0\",\"end\":\"0x100000\"}],\"devices\":[{\"id\":\"blk0\",\"kind\":\"virtio-blk\","
        "\"transport\":{\"kind\":\"mmio\",\"base\":\"0x10000000\",\"irq\":5}}],"
        "\"observes\":{\"dma\":\"none\",\"msi\":\"none\",\"line\":\"exact\",\"fault\":\"none\"},"
        "\"can\":{\"step\":false,\"save\":false,\"migrate\":false,\"fingerprint\":false,\"resets\":[\"system\"],"
        "\"controls\":[],\"synchronous\":true}";
    serve(&(struct adapter){description, ram, RAM_BYTES, read_space, write_space, reset, NULL});
    return 0;
}
