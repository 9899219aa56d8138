#!/usr/bin/python3
"""Load for an agent, as a process of its own; prints one JSON object at the end.

  health_load.py scrapes HTTP_PORT PER_SECOND SECONDS   /metrics over kept connections
  health_load.py streams GRPC_PORT COUNT SECONDS        StreamHealth, a connection each"""
import asyncio
import json
import os
import socket
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "harness"))

from vtharness import wire  # noqa: E402  pylint: disable=wrong-import-position
import grpc  # noqa: E402  pylint: disable=wrong-import-position,wrong-import-order

SCRAPERS = 4
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


class Tally:
    def __init__(self):
        self.times, self.bytes, self.failed = [], 0, 0

    def at(self, share):
        times = sorted(self.times)
        return 1000 * times[min(len(times) - 1, int(share * len(times)))] if times else None


def scrape_once(connection, tally):
    """Blocking sockets in a few threads: the cheapest that Python has, the agent shares the machine."""
    start, answer = time.monotonic(), b""
    connection.sendall(REQUEST)
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1 << 16)
    head, _, body = answer.partition(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    have = len(body)
    while have < size:
        have += len(connection.recv(1 << 16))
    tally.bytes = size
    tally.failed += not head.startswith(b"HTTP/1.1 200")
    tally.times.append(time.monotonic() - start)


def scraper(port, per_second, end, tally):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        due = time.monotonic()
        while time.monotonic() < end:
            scrape_once(connection, tally)
            due += 1 / per_second
            time.sleep(max(0, due - time.monotonic()))


def scrapes(port, per_second, seconds):
    tally, end = Tally(), time.monotonic() + seconds
    threads = [threading.Thread(target=scraper, args=(port, per_second / SCRAPERS, end, tally))
               for _ in range(SCRAPERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"per_second": len(tally.times) / seconds, "failed": tally.failed, "page_bytes": tally.bytes,
            "p50_ms": tally.at(0.5), "p99_ms": tally.at(0.99)}


async def listener(port, end, counts):
    request, answer = (wire.message("query", f"StreamHealth{kind}") for kind in ("Request", "Response"))
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        call = channel.unary_stream("/queryservice.Query/StreamHealth", request.SerializeToString,
                                    answer.FromString)
        stream = call(request(), timeout=end - time.monotonic())
        count = 0
        try:
            async for _ in stream:
                count += 1
                counts["messages"] += 1
                counts["listening"] += count == 1
        except grpc.aio.AioRpcError as error:
            counts["ended early"] += error.code() != grpc.StatusCode.DEADLINE_EXCEEDED


async def listen_all(port, count, end, counts):
    await asyncio.gather(*(listener(port, end, counts) for _ in range(count)))


def streams(port, count, seconds):
    counts = {"messages": 0, "listening": 0, "ended early": 0}
    asyncio.run(listen_all(port, count, time.monotonic() + seconds, counts))
    return counts


def main():
    kind, port, amount, seconds = sys.argv[1], *map(int, sys.argv[2:5])
    load = {"scrapes": scrapes, "streams": streams}[kind]
    print(json.dumps(load(port, amount, seconds)))


if __name__ == "__main__":
    main()
