"""The wire protocol of iospec for adapters in Python: one JSON object per line, one reply line per request.

Copy this file beside a device; nothing in it knows what the device is. Write a subclass of `Adapter` and call
`serve(MyDevice())`. Only the standard library is used.
"""

import base64
import json
import os

LINE_BYTES_MAX = 1 << 20
ALL_ONES = 0xFFFF_FFFF_FFFF_FFFF


class Refused(Exception):
    """Raised by an adapter to answer a request with an error."""


class Adapter:
    """Guest memory and the calls that every target answers; a device overrides what it has."""

    def __init__(self, description, ram_bytes):
        self.description = description
        self.ram = bytearray(ram_bytes)
        self._events = []

    def read(self, space, address, width):
        """A CPU reads. What nobody claims reads as all ones."""
        return ALL_ONES

    def write(self, space, address, width, value):
        """A CPU writes."""

    def reset(self, kind):
        raise Refused(f"no {kind} reset")

    def other(self, call, request):
        """Further calls: the fields of the reply, or None for a call that is not offered."""
        return None

    def event(self, **fields):
        """Remembers what happened until the harness asks for it."""
        self._events.append(fields)

    def answer(self, call, request):
        """The fields of the reply to one request, or None for a call that is not offered."""
        if call == "read":
            width = self._width(request)
            value = self.read(text(request, "space"), number(request, "address"), width)
            return {"value": hex(value & ((1 << 8 * width) - 1))}
        if call == "write":
            value = number(request, "value")
            self.write(text(request, "space"), number(request, "address"), self._width(request), value)
            return {}
        if call == "load":
            start, end = self._range(number(request, "gpa"), number(request, "bytes"))
            return {"data": base64.b64encode(self.ram[start:end]).decode()}
        if call == "store":
            data = decoded(text(request, "data"))
            start, end = self._range(number(request, "gpa"), len(data))
            self.ram[start:end] = data
            return {}
        if call == "events":
            events, self._events = self._events, []
            return {"events": events}
        if call == "settle":
            return {"state": "quiet"}
        if call == "reset":
            self.reset(text(request, "kind"))
            return {}
        if call == "hello":
            return {"protocol": 1, **self.description}
        return {} if call == "bye" else self.other(call, request)

    def _range(self, gpa, count):
        if gpa + count > len(self.ram):
            raise Refused("expected a range inside guest memory")
        return gpa, gpa + count

    @staticmethod
    def _width(request):
        width = number(request, "width")
        if width not in (1, 2, 4, 8):
            raise Refused("expected a width of 1, 2, 4 or 8")
        return width


def number(request, name):
    """An unsigned field: a JSON number, or a string "0x..."."""
    value = request.get(name)
    try:
        if isinstance(value, str) and value.startswith("0x"):
            value = int(value, 16)
    except ValueError:
        pass
    if type(value) is not int or not 0 <= value <= ALL_ONES:
        raise Refused(f"expected a number in {name}")
    return value


def text(request, name):
    value = request.get(name)
    if not isinstance(value, str):
        raise Refused(f"expected a string in {name}")
    return value


def decoded(data):
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as broken:
        raise Refused(f"expected base64 in data: {broken}") from None


def parsed(line):
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as broken:
        raise Refused(f"expected JSON: {broken}") from None
    if not isinstance(request, dict):
        raise Refused("expected a flat JSON object")
    return request


def reply_to(adapter, line):
    """The reply to one line, and whether it was the last one. A mistake of the device itself is not caught."""
    request_id = 0
    try:
        request = parsed(line)
        request_id = number(request, "id")
        call = text(request, "call")
        fields = adapter.answer(call, request)
        if fields is None:
            fields = {"unsupported": True}
        return {"id": request_id, **fields}, call == "bye"
    except Refused as refused:
        return {"id": request_id, "error": str(refused)}, False


def lines():
    """Lines of standard input, in lots: whatever was sent together is answered together."""
    pending = b""
    while chunk := os.read(0, 1 << 16):
        *whole, pending = (pending + chunk).split(b"\n")
        if len(pending) > LINE_BYTES_MAX:
            pending = b"\0"  # the rest of a line that is too long is no JSON either
        yield whole


def serve(adapter):
    """Answers requests until `bye` or the end of input."""
    for lot in lines():
        out = []
        last = False
        for line in lot:
            reply, last = reply_to(adapter, line)
            out.append(json.dumps(reply, separators=(",", ":")))
            if last:
                break
        data = "".join(text + "\n" for text in out).encode()
        while data:
            data = data[os.write(1, data) :]
        if last:
            return
