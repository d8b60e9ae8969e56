"""A bare server that answers from prepared bytes, so that it costs next to nothing, and notes when it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

PROJECT_ID = "0123456789abcdef0123456789abcdef"
PAGE_SIZE = 1000
INIT, WAITING, RUNNING = 1, 7, 8


class Stub:
    """
    ModelArts' list and details of so many jobs (ids from 1), all in :attr:`status`, on a thread of this process.

    ``/peer/ID`` answers what a sensor of plain HTTP waits for: 404 until the jobs are RUNNING.
    """

    def __init__(self, jobs: int) -> None:
        self.status = INIT
        self.looks: list[tuple[float, range]] = []
        """One for each request: when it came, on the monotonic clock, and the ids of the jobs it shows."""
        self.jobs = range(1, jobs + 1)
        newest_first = self.jobs[::-1]
        self._page_ranges = [newest_first[start : start + PAGE_SIZE] for start in range(0, jobs, PAGE_SIZE)]
        self._pages = {
            status: [self._page(shown, status) for shown in self._page_ranges] for status in (INIT, WAITING, RUNNING)
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._listening = threading.Event()

    def __enter__(self) -> Stub:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def answer(self, target: str) -> bytes:
        """Return the whole answer to a GET request."""
        url = urlsplit(target)
        if url.path.endswith("/visualization-jobs"):
            query = parse_qs(url.query)
            if (query["order"], query["per_page"]) != (["desc"], [str(PAGE_SIZE)]):
                raise ValueError(f"no such page is prepared: {target}")
            page = int(query["page"][0]) - 1
            self.looks.append((time.monotonic(), self._page_ranges[page]))
            return self._pages[self.status][page]
        job_id = int(url.path.rpartition("/")[2])
        self.looks.append((time.monotonic(), range(job_id, job_id + 1)))
        if url.path.startswith("/peer/"):
            return _response(b"", "200 OK" if self.status == RUNNING else "404 Not Found")
        return _response(json.dumps(_job(job_id, self.status)).encode())

    def _page(self, shown: range, status: int) -> bytes:
        page = {
            "is_success": True,
            "job_total_count": len(self.jobs),
            "job_count_limit": 1000,
            "quotas": 1000,
            "jobs": [_job(job_id, status) for job_id in shown],
        }
        return _response(json.dumps(page).encode())

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=5000)
        )
        self.url = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
        self._listening.set()
        self._loop.run_forever()
        server.close()
        self._loop.close()


class _Connection(asyncio.Protocol):
    """Reads GET requests one after another from a kept connection."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, self._received = self._received.split(b"\r\n\r\n", 1)
            self._transport.write(self._stub.answer(head.split(b" ", 2)[1].decode()))


def _job(job_id: int, status: int) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "job_name": f"visualization-job-{job_id}",
        "status": status,
        "create_time": 1_700_000_000_000 + job_id,
        "duration": 60_000,
        "job_desc": "",
        "service_url": f"https://authoring.example.com/{job_id}/tensorboard",
        "train_url": f"/bucket/training/{job_id}/",
        "resource_id": f"{job_id:032x}",
    }


def _response(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
