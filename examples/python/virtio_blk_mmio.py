"""A virtio block device behind the MMIO transport (VIRTIO 1.3, sections 2.7, 4.2 and 5.2), with its guest memory.

A write to QueueNotify carries out everything that is available before it is answered. The device trusts its driver
with nothing: what cannot be carried out sets DEVICE_NEEDS_RESET.
"""

from guest_memory import BrokenDriver, GuestMemory
from json_lines import ALL_ONES, Adapter, Refused, serve

BASE, WINDOW_BYTES, CONFIG = 0x1000_0000, 0x200, 0x100
RAM_BYTES, SECTORS, QUEUE_SIZE_MAX = 1 << 20, 128, 256
FLUSH_FEATURE, INDIRECT_DESC, EVENT_IDX, VERSION_1 = 1 << 9, 1 << 28, 1 << 29, 1 << 32
OFFERED = FLUSH_FEATURE | INDIRECT_DESC | EVENT_IDX | VERSION_1
DRIVER_OK, FEATURES_OK, NEEDS_RESET = 4, 8, 64
NEXT, WRITE, INDIRECT = 1, 2, 4
USED_BUFFER, CONFIGURATION = 1, 2  # interrupt status
IN, OUT, FLUSH, GET_ID = 0, 1, 4, 8
OK, IOERR, UNSUPP = 0, 1, 2

DESCRIPTION = {
    "name": "virtio-blk-mmio in Python", "version": "1", "vms": 1, "cpus": 1,
    "memory": [{"start": "0x0", "end": hex(RAM_BYTES)}],
    "devices": [{"id": "blk0", "kind": "virtio-blk", "transport": {"kind": "mmio", "base": hex(BASE), "irq": 5}}],
    "observes": {"dma": "none", "msi": "none", "line": "exact", "fault": "none"},
    "can": {"step": False, "save": False, "migrate": False, "fingerprint": False,
            "resets": ["system"], "controls": [], "synchronous": True},
}  # fmt: skip


class VirtioBlk(Adapter):
    def __init__(self):
        super().__init__(DESCRIPTION, RAM_BYTES)
        self.memory, self.interrupt = GuestMemory(self.ram), 0
        self.reset("system")

    def reset(self, kind):
        if kind != "system":
            raise Refused(f"no {kind} reset")
        self.ram[:] = bytes(RAM_BYTES)
        self.disk = bytearray(SECTORS * 512)
        self.device_reset()

    def device_reset(self):
        self.registers = {}  # what the driver wrote, by offset; the queue's are those of queue 0
        self.driver_features = self.status = self.ready = self.last_avail = self.used_idx = 0
        self.set_interrupt(0)

    def set_interrupt(self, value):
        if bool(value) != bool(self.interrupt):
            self.event(kind="line", device="blk0", pin=0, level=bool(value))
        self.interrupt = value

    # Registers, 4.2.2.

    def read(self, space, address, width):
        offset = address - BASE
        if space != "mmio" or not 0 <= offset < WINDOW_BYTES:
            return ALL_ONES
        if offset >= CONFIG:
            return SECTORS >> 8 * (offset - CONFIG) & (1 << 8 * width) - 1  # the capacity, then zeros
        if width != 4:
            return 0
        selected, first_queue = self.registers.get(0x014, 0), self.registers.get(0x030, 0) == 0
        return {
            0x000: 0x74726976, 0x004: 2, 0x008: 2, 0x00C: 0x4F495053,
            0x010: OFFERED >> 32 * selected if selected < 2 else 0,
            0x034: QUEUE_SIZE_MAX if first_queue else 0, 0x044: self.ready if first_queue else 0,
            0x060: self.interrupt, 0x070: self.status,
        }.get(offset, 0)

    def write(self, space, address, width, value):
        offset = address - BASE
        if space != "mmio" or not 0 <= offset < CONFIG or offset % 4 or width != 4:
            return
        value &= 0xFFFF_FFFF
        if offset == 0x020:
            half = self.registers.get(0x024, 0)
            if half < 2 and not self.status & FEATURES_OK:
                self.driver_features &= ~(0xFFFF_FFFF << 32 * half)
                self.driver_features |= value << 32 * half
        elif offset == 0x050 and value == 0:
            self.notified()
        elif offset == 0x064:
            self.set_interrupt(self.interrupt & ~value)
        elif offset == 0x070:
            self.set_status(value)
        elif offset in (0x014, 0x024, 0x030):
            self.registers[offset] = value
        elif self.registers.get(0x030, 0) != 0:
            return  # the rest concerns a queue, and there is one
        elif offset == 0x044:
            self.ready = value & 1 if self.registers.get(0x038) else 0
            self.last_avail = self.used_idx = 0
        elif not self.ready:  # a queue in use is not moved
            if offset != 0x038 or (value <= QUEUE_SIZE_MAX and value & (value - 1) == 0):
                self.registers[offset] = value

    def set_status(self, value):
        if value == 0:
            return self.device_reset()
        acceptable = self.driver_features & ~OFFERED == 0 and self.driver_features & VERSION_1
        if not acceptable and not self.status & FEATURES_OK:
            value &= ~FEATURES_OK
        self.status = value | self.status & NEEDS_RESET

    # The queue, 2.7.

    def notified(self):
        if self.status & (DRIVER_OK | FEATURES_OK | NEEDS_RESET) != DRIVER_OK | FEATURES_OK or not self.ready:
            return
        size = self.size = self.registers[0x038]
        self.desc, self.avail, self.used = (
            self.registers.get(low, 0) | self.registers.get(low + 4, 0) << 32 for low in (0x080, 0x090, 0x0A0)
        )
        before = self.used_idx
        try:
            for area, count in ((self.desc, 16 * size), (self.avail, 6 + 2 * size), (self.used, 6 + 8 * size)):
                self.memory.check(area, count)
            self.use_buffers()
        except BrokenDriver:
            self.status |= NEEDS_RESET
        if self.used_idx != before and self.wants_interrupt(before):
            self.set_interrupt(self.interrupt | USED_BUFFER)
        if self.status & NEEDS_RESET:
            self.set_interrupt(self.interrupt | CONFIGURATION)

    def wants_interrupt(self, before):
        """Sampled after used.idx is there to be seen, 2.7.10.1."""
        if not self.driver_features & EVENT_IDX:
            return not self.memory.get(self.avail, 2) & 1
        used_event = self.memory.get(self.avail + 4 + 2 * self.size, 2)
        return (self.used_idx - used_event - 1) % 65536 < (self.used_idx - before) % 65536

    def use_buffers(self):
        get, put = self.memory.get, self.memory.put
        for _ in range(self.size + 1):  # more are never there: memory was overwritten
            if self.driver_features & EVENT_IDX:  # avail_event, then a look at avail.idx
                put(self.used + 4 + 8 * self.size, 2, self.last_avail)
            waiting = (get(self.avail + 2, 2) - self.last_avail) % 65536
            if waiting == 0:
                return
            if waiting > self.size:
                break
            head = get(self.avail + 4 + 2 * (self.last_avail % self.size), 2)
            written = self.request(*self.walk(head))
            self.last_avail = (self.last_avail + 1) % 65536
            element = self.used + 4 + 8 * (self.used_idx % self.size)
            put(element, 8, head | written << 32)
            self.used_idx = (self.used_idx + 1) % 65536
            put(self.used + 2, 2, self.used_idx)
        raise BrokenDriver

    def walk(self, head):
        """The pieces `(gpa, bytes)` that the device reads, and those that it writes."""
        get, table, entries, at, indirect = self.memory.get, self.desc, self.size, head, False
        readable, writable, room = [], [], RAM_BYTES
        while at < entries and len(readable) + len(writable) < self.size:  # no chain is longer: this ends loops
            gpa, count = get(table + 16 * at, 8), get(table + 16 * at + 8, 4)
            flags = get(table + 16 * at + 12, 2)
            self.memory.check(gpa, count)
            if flags & INDIRECT:  # its WRITE flag means nothing, 2.7.5.3.2
                allowed = self.driver_features & INDIRECT_DESC and not indirect and not flags & NEXT
                if not allowed or count == 0 or count % 16:
                    break
                table, entries, at, indirect = gpa, count // 16, 0, True
                continue
            room -= count  # a buffer larger than memory lies on itself
            if room < 0 or (writable and not flags & WRITE):  # readable after writable, 2.7.4.2
                break
            (writable if flags & WRITE else readable).append((gpa, count))
            if not flags & NEXT:
                return readable, writable
            at = get(table + 16 * at + 14, 2)
        raise BrokenDriver

    def request(self, readable, writable):
        """Carries out one request, 5.2.6, and returns the number of bytes written."""
        sent, room = self.memory.gather(readable), sum(count for _, count in writable)
        if len(sent) < 16 or room < 1:
            raise BrokenDriver
        kind, start = int.from_bytes(sent[0:4], "little"), int.from_bytes(sent[8:16], "little") * 512
        count = room - 1 if kind == IN else len(sent) - 16
        inside = count % 512 == 0 and start + count <= len(self.disk)
        answer, status = b"", OK
        if kind == IN and inside:
            answer = bytes(self.disk[start : start + count])
        elif kind == OUT and inside:
            self.disk[start : start + count] = sent[16:]
        elif kind == GET_ID:
            answer = b"iospec-python-blk".ljust(20, b"\0")[: room - 1]
        elif kind != FLUSH:
            status = IOERR if kind in (IN, OUT) else UNSUPP
        # Every byte that used.len counts is written, whatever happened.
        self.memory.scatter(writable, answer.ljust(room - 1, b"\0") + bytes([status]))
        return room


if __name__ == "__main__":
    serve(VirtioBlk())
