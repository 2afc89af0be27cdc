"""A target to start from: a virtio block device behind MMIO that says who it is and does nothing yet.

`iospec check 'stdio:python3 device.py'` is content with it; `iospec run all` tells what is missing.
"""

from json_lines import ALL_ONES, Adapter, Refused, serve

BASE, WINDOW_BYTES, RAM_BYTES = 0x1000_0000, 0x200, 1 << 20
MAGIC, VERSION_1 = 0x74726976, 1 << 32

DESCRIPTION = {
    "name": "my device", "version": "1", "vms": 1, "cpus": 1,
    "memory": [{"start": "0x0", "end": hex(RAM_BYTES)}],
    "devices": [{"id": "blk0", "kind": "virtio-blk", "transport": {"kind": "mmio", "base": hex(BASE), "irq": 5}}],
    "observes": {"dma": "none", "msi": "none", "line": "exact", "fault": "none"},
    "can": {"step": False, "save": False, "migrate": False, "fingerprint": False,
            "resets": ["system"], "controls": [], "synchronous": True},
}  # fmt: skip


class MyDevice(Adapter):
    def __init__(self):
        super().__init__(DESCRIPTION, RAM_BYTES)
        self.reset("system")

    def reset(self, kind):
        if kind != "system":
            raise Refused(f"no {kind} reset")
        self.ram[:] = bytes(RAM_BYTES)
        self.status = self.features_sel = 0

    def read(self, space, address, width):
        """A register, little endian. What nobody claims reads as all ones."""
        offset = address - BASE
        if space != "mmio" or not 0 <= offset < WINDOW_BYTES:
            return ALL_ONES
        return {
            0x000: MAGIC,
            0x004: 2,  # the version of the transport
            0x008: 2,  # the device id: a block device
            0x010: VERSION_1 >> 32 * (self.features_sel & 1),
            0x070: self.status,
        }.get(offset, 0)

    def write(self, space, address, width, value):
        if space != "mmio":
            return
        offset = address - BASE
        if offset == 0x014:
            self.features_sel = value
        elif offset == 0x070:
            self.status = value
        # 0x050 is QueueNotify: take what is available, carry it out, return it, and tell the driver:
        # self.event(kind="line", device="blk0", pin=0, level=True)


if __name__ == "__main__":
    serve(MyDevice())
