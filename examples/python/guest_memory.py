"""Guest memory as a device sees it: bounds, byte order, and buffers in pieces. Any device in Python may use this."""


class BrokenDriver(Exception):
    """The driver asked for what no device can carry out, for example to use an address that is no memory."""


class GuestMemory:
    """Memory from guest-physical address 0 on; `ram` is a bytearray that others may share."""

    def __init__(self, ram):
        self.ram = ram

    def check(self, gpa, count):
        if gpa + count > len(self.ram):
            raise BrokenDriver

    def get(self, gpa, count):
        """A little-endian field."""
        self.check(gpa, count)
        return int.from_bytes(self.ram[gpa : gpa + count], "little")

    def put(self, gpa, count, value):
        self.check(gpa, count)
        self.ram[gpa : gpa + count] = value.to_bytes(count, "little")

    def gather(self, pieces):
        """The bytes of a buffer that lies in pieces `(gpa, bytes)`."""
        for gpa, count in pieces:
            self.check(gpa, count)
        return b"".join(self.ram[gpa : gpa + count] for gpa, count in pieces)

    def scatter(self, pieces, data):
        """Fills a buffer that lies in pieces, as far as the data goes."""
        for gpa, count in pieces:
            self.check(gpa, count)
            piece, data = data[:count], data[count:]
            self.ram[gpa : gpa + len(piece)] = piece
