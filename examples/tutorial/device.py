"""A virtio block device behind the MMIO transport: the device of docs/tutorial.md."""

from guest_memory import BrokenDriver, GuestMemory
from json_lines import ALL_ONES, Adapter, Refused, serve

BASE, RAM_BYTES, SECTORS = 0x1000_0000, 1 << 20, 128

DESCRIPTION = {
    "name": "my device", "version": "1", "vms": 1, "cpus": 1,
    "memory": [{"start": "0x0", "end": hex(RAM_BYTES)}],
    "devices": [{"id": "blk0", "kind": "virtio-blk", "transport": {"kind": "mmio", "base": hex(BASE), "irq": 5}}],
    "observes": {"dma": "none", "msi": "none", "line": "exact", "fault": "none"},
    "can": {"step": False, "save": False, "migrate": False, "fingerprint": False,
            "resets": ["system"], "controls": [], "synchronous": True},
}  # fmt: skip

# The registers, VIRTIO 4.2.2, and from 0x100 on those of a block device, 5.2.4.
REGISTERS = {
    0x000: "magic", 0x004: "version", 0x008: "device_id", 0x010: "device_features", 0x014: "device_features_sel",
    0x020: "driver_features", 0x024: "driver_features_sel", 0x030: "queue_sel", 0x034: "queue_size_max",
    0x038: "queue_size", 0x044: "queue_ready", 0x050: "queue_notify", 0x060: "interrupt_status",
    0x064: "interrupt_ack", 0x070: "status", 0x080: "desc_low", 0x084: "desc_high", 0x090: "avail_low",
    0x094: "avail_high", 0x0A0: "used_low", 0x0A4: "used_high", 0x100: "capacity", 0x104: "capacity_high",
}  # fmt: skip
CONSTANTS = {"magic": 0x74726976, "version": 2, "device_id": 2, "capacity": SECTORS, "capacity_high": 0}
EVENT_IDX, VERSION_1 = 1 << 29, 1 << 32
OFFERED = EVENT_IDX | VERSION_1
DRIVER_OK, FEATURES_OK, NEEDS_RESET = 4, 8, 64

QUEUE_SIZE_MAX = 256
NEXT, WRITE = 1, 2  # flags of a descriptor, 2.7.5
USED_BUFFER, CONFIGURATION = 1, 2  # causes of an interrupt, 4.2.2
IN, OUT, GET_ID = 0, 1, 8  # requests, 5.2.6
OK, IOERR, UNSUPP = 0, 1, 2


class Device(Adapter):
    def __init__(self):
        super().__init__(DESCRIPTION, RAM_BYTES)
        self.memory, self.registers = GuestMemory(self.ram), {}
        self.reset("system")

    def reset(self, kind):
        """The power switch: memory and disk are empty afterwards."""
        if kind != "system":
            raise Refused(f"no {kind} reset")
        self.ram[:] = bytes(RAM_BYTES)
        self.disk = bytearray(SECTORS * 512)
        self.forget()

    def forget(self):
        """What is left of all that the driver wrote: nothing."""
        self.set_interrupt(0)
        self.registers = {}

    def set_interrupt(self, causes):
        """The interrupt line is up as long as there is a cause."""
        if bool(causes) != bool(self.get("interrupt_status")):
            self.event(kind="line", device="blk0", pin=0, level=bool(causes))
        self.put("interrupt_status", causes)

    def get(self, name):
        return self.registers.get(name, 0)

    def put(self, name, value):
        self.registers[name] = value

    def read(self, space, address, width):
        """A register that is no constant and has no method of its own holds what was written."""
        name = REGISTERS.get(address - BASE)
        if space != "mmio" or name is None:
            return ALL_ONES
        return getattr(self, f"read_{name}", lambda: CONSTANTS.get(name, self.get(name)))()

    def write(self, space, address, width, value):
        name = REGISTERS.get(address - BASE)
        if space == "mmio" and name is not None:
            getattr(self, f"write_{name}", lambda value: self.put(name, value))(value & 0xFFFF_FFFF)

    def write_interrupt_ack(self, causes):
        self.set_interrupt(self.get("interrupt_status") & ~causes)

    def read_device_features(self):
        return OFFERED >> 32 * self.get("device_features_sel")

    def write_driver_features(self, value):
        self.put(f"accepted_{self.get('driver_features_sel')}", value)

    def accepted(self):
        return self.get("accepted_0") | self.get("accepted_1") << 32

    def write_status(self, value):
        if value == 0:
            return self.forget()
        if not self.accepted() & VERSION_1 or self.accepted() & ~OFFERED:
            value &= ~FEATURES_OK  # the driver reads it back, and sees that the device does not agree
        self.put("status", value | self.get("status") & NEEDS_RESET)

    def read_queue_size_max(self):
        return QUEUE_SIZE_MAX if self.get("queue_sel") == 0 else 0  # there is one queue

    def write_queue_ready(self, value):
        self.size, self.last_avail, self.used_idx = self.get("queue_size"), 0, 0
        self.desc, self.avail, self.used = (
            self.get(f"{area}_low") | self.get(f"{area}_high") << 32 for area in ("desc", "avail", "used")
        )
        self.put("queue_ready", value & (0 < self.size <= QUEUE_SIZE_MAX))

    def write_queue_notify(self, queue):
        """Everything that is available is carried out before the write is answered."""
        running = self.get("status") & (DRIVER_OK | NEEDS_RESET) == DRIVER_OK
        if queue != 0 or not running or not self.get("queue_ready"):
            return
        before, causes = self.used_idx, 0
        try:
            self.use_buffers()
        except BrokenDriver:  # nobody can say what it meant
            self.put("status", self.get("status") | NEEDS_RESET)
            causes |= CONFIGURATION
        if self.used_idx != before and self.wants_interrupt(before):
            causes |= USED_BUFFER
        self.set_interrupt(self.get("interrupt_status") | causes)

    def use_buffers(self):
        get, put = self.memory.get, self.memory.put
        for _ in range(self.size + 1):  # more are never available
            if self.accepted() & EVENT_IDX:
                put(self.used + 4 + 8 * self.size, 2, self.last_avail)  # avail_event: I want to hear of the next one
            available = (get(self.avail + 2, 2) - self.last_avail) % 65536
            if available == 0:
                return
            if available > self.size:
                break
            head = get(self.avail + 4 + 2 * (self.last_avail % self.size), 2)
            self.last_avail = (self.last_avail + 1) % 65536
            written = self.carry_out(*self.walk(head))
            put(self.used + 4 + 8 * (self.used_idx % self.size), 8, head | written << 32)
            self.used_idx = (self.used_idx + 1) % 65536
            put(self.used + 2, 2, self.used_idx)
        raise BrokenDriver

    def walk(self, at):
        """The pieces `(gpa, bytes)` of a chain that the device reads, and those that it writes."""
        readable, writable = [], []
        for _ in range(self.size):  # a longer chain is a loop
            descriptor = self.desc + 16 * at
            gpa, count = self.memory.get(descriptor, 8), self.memory.get(descriptor + 8, 4)
            flags, following = self.memory.get(descriptor + 12, 2), self.memory.get(descriptor + 14, 2)
            if at >= self.size or flags & ~(NEXT | WRITE) or (writable and not flags & WRITE):
                break
            (writable if flags & WRITE else readable).append((gpa, count))
            if not flags & NEXT:
                return readable, writable
            at = following
        raise BrokenDriver

    def carry_out(self, readable, writable):
        """One request, 5.2.6: a header of 16 bytes, data, and a byte for the status at the very end."""
        sent, room = self.memory.gather(readable), sum(count for _, count in writable)
        if len(sent) < 16 or not 0 < room <= RAM_BYTES:
            raise BrokenDriver
        kind, start = int.from_bytes(sent[:4], "little"), int.from_bytes(sent[8:16], "little") * 512
        end = start + (room - 1 if kind == IN else len(sent) - 16)
        answer, status = b"", OK
        if kind in (IN, OUT) and (end > len(self.disk) or end % 512):
            status = IOERR
        elif kind == IN:
            answer = bytes(self.disk[start:end])
        elif kind == OUT:
            self.disk[start:end] = sent[16:]
        elif kind == GET_ID:
            answer = b"my device"[: room - 1]
        else:
            status = UNSUPP
        self.memory.scatter(writable, answer.ljust(room - 1, b"\0") + bytes([status]))
        return room  # used.len: so many bytes were written

    def wants_interrupt(self, before):
        """2.7.7: a flag, or the index of the entry that the driver waits for."""
        if not self.accepted() & EVENT_IDX:
            return not self.memory.get(self.avail, 2) & 1
        used_event = self.memory.get(self.avail + 4 + 2 * self.size, 2)
        return (self.used_idx - used_event - 1) % 65536 < (self.used_idx - before) % 65536


if __name__ == "__main__":
    serve(Device())
