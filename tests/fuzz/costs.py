"""Inputs made to cost more than their size, and what each of them takes; run in a process of its own.

Prints one line for each: name, bytes, CPU seconds, and by how many megabytes the process grew.
"""

import gzip
import resource
import time
from collections.abc import Iterator

import structlog

from fuzz.targets import TARGETS
from safety.letters import CABLES, NOW, QUARTER, envelope, leaf
from safety.nodes import CSP, DSO, ENC, Node, to_bytes

LONGEST = 64 * 1024


def inputs() -> Iterator[tuple[str, str, bytes]]:
    """Name, target and bytes."""
    yield "deep nesting", "soap", b"<a>" * 9000 + b"</a>" * 9000
    yield "deep nesting inside a message", "soap", _forecast(b"<x>" * 4000 + b"</x>" * 4000)
    yield "many attributes", "soap", b"<a " + b" ".join(b'a%d=""' % k for k in range(7000)) + b"/>"
    yield "many namespaces", "soap", b"<a " + b" ".join(b'xmlns:n%d="u"' % k for k in range(4000)) + b"/>"
    yield "namespaces at each step", "soap", b"".join(b'<a xmlns="u%d">' % k for k in range(2000)) + b"</a>" * 2000
    yield "entities", "soap", b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 60000 + b'">]><a>&b;&b;</a>'
    yield "a gzip bomb", "xml", gzip.compress(b"<a>" + b" " * 30_000_000 + b"</a>")
    yield "gzip in gzip", "xml", gzip.compress(gzip.compress(b"\x00" * 60_000_000))
    yield "empty gzip members", "xml", gzip.compress(b"", mtime=0) * 3000
    yield "a huge number", "cso", _forecast(b"", capacity=b"9" * 60000)
    yield "a huge number of zeros", "cso", _forecast(b"", capacity=b"1" + b"0" * 90)
    yield "a huge Priority", "cso", _forecast(b"").replace(b">0</c:Priority>", b">" + b"9" * 60000 + b"</c:Priority>")
    yield "many unknown elements", "soap", _forecast(b"".join(b"<x%d/>" % k for k in range(5000)))
    yield "many odd spellings", "soap", _forecast(b"".join(b'<Connection y%d=""/>' % k for k in range(2500)))
    yield "references to a large part", "soap", _references(400, 30_000)
    yield "references to references", "soap", _chain()
    yield "many cables in one Adjustment", "dso", _adjustment()
    yield "many blocks of a second", "cso", _forecast(b"", blocks=300, step_s=1)
    yield "many refused cables", "cso", _refused()
    yield "brackets", "frames", b"[" * LONGEST
    yield "brackets in a call", "payloads", b'[2,"1","MeterValues",{"meterValue":' + b"[" * 30000 + b"]" * 30000 + b"}]"
    yield "a huge whole number", "payloads", b'[2,"1","StopTransaction",{"transactionId":' + b"9" * 60000 + b"}]"
    yield "many frames", "frames", b"[2]\n" * 16000
    yield "brackets as JSON", "json", b'{"message":' * 5000


def _forecast(more: bytes, capacity: bytes = b"5", blocks: int = 1, step_s: int = 900) -> bytes:
    step = QUARTER * step_s / 900
    found = []
    for k in range(blocks):
        times = [f"{NOW + (k + one) * step:%Y-%m-%dT%H:%M:%SZ}" for one in (0, 1)]
        children = [leaf(CSP, "Capacity", "NUMBER"), leaf(CSP, "StartTime", times[0]), leaf(CSP, "EndTime", times[1])]
        found.append(Node("ForecastedBlock", CSP, "", children))
    cable = Node("Cable", CSP, "", [leaf(CSP, "CableId", CABLES[0]), leaf(CSP, "More", "")])
    body = Node("UpdateCableCapacityForecastRequest", CSP, "", [Node("Forecast", CSP, "", [cable, *found])])
    data = to_bytes(envelope(CSP, body, sender="dso", receiver="cso"))
    return data.replace(b"NUMBER", capacity).replace(b"<c:More></c:More>", more)


def _references(times: int, size: int) -> bytes:
    head, _, tail = _forecast(b"<Connection/>").partition(b"<Connection/>")
    target = b'<Connection xmlns:q="%s" q:id="r">%s</Connection>' % (ENC.encode(), b"<x>y</x>" * (size // 8))
    return head + target + b'<Connection xmlns:q="%s" q:ref="r"/>' % ENC.encode() * times + tail


def _chain() -> bytes:
    head, _, tail = _forecast(b"<Connection/>").partition(b"<Connection/>")
    links = b"".join(
        b'<Connection xmlns:q="%s" q:id="r%d">%s</Connection>' % (ENC.encode(), k, b'<x q:ref="r%d"/>' % (k + 1) * 2)
        for k in range(300)
    )
    return head + links + b'<Connection xmlns:q="%s" q:id="r300">y</Connection>' % ENC.encode() + tail


def _adjustment() -> bytes:
    cables = [Node("Cable", DSO, "", [leaf(DSO, "CableId", f"K{k}")]) for k in range(900)]
    moments = (("StartTime", NOW), ("EndTime", NOW + QUARTER))
    times = [leaf(DSO, name, f"{moment:%Y-%m-%dT%H:%M:%SZ}") for name, moment in moments]
    block = Node("CapacityBlock", DSO, "", [leaf(DSO, "Capacity", "1"), *times])
    body = Node("RequestAdjustedCapacityRequest", DSO, "", [Node("Adjustment", DSO, "", [*cables, block])])
    return to_bytes(envelope(DSO, body, sender="cso", receiver="dso"))


def _refused() -> bytes:
    blocks = [leaf(CSP, "Capacity", "x"), leaf(CSP, "StartTime", "x"), leaf(CSP, "EndTime", "x")]
    containers = [
        Node("Forecast", CSP, "", [leaf(CSP, "CableId", f"K{k}"), Node("ForecastedBlock", CSP, "", list(blocks))])
        for k in range(400)
    ]
    body = Node("UpdateCableCapacityForecastRequest", CSP, "", containers)
    return to_bytes(envelope(CSP, body, sender="dso", receiver="cso"))


def main() -> None:
    """Run them all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    for target in TARGETS.values():
        target(b"")
    for name, target_name, data in inputs():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.process_time()
        TARGETS[target_name](data)
        cost_s = time.process_time() - begin
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        print(f"{name}\t{len(data)}\t{cost_s:.3f}\t{grown}", flush=True)


if __name__ == "__main__":
    main()
