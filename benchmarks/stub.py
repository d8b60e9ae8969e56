"""A bare server that answers from prepared bytes, so that it costs next to nothing, and notes when it was asked."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Collection
from types import TracebackType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from benchmarks import jobs
from benchmarks.jobs import ARRIVED, MOMENTS, STARTED

PROJECT_ID = "0123456789abcdef0123456789abcdef"
PAGE_SIZE: Final = 1000
TRAINING_PAGE_SIZE: Final = 50

_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Stub:
    """
    ModelArts' lists and details of so many jobs of each kind (numbers from 1), on a thread of this process.

    All jobs are as they are at :attr:`moment`. ``/peer/NUMBER`` answers what a sensor of plain HTTP waits for: 404
    until the jobs have arrived.
    """

    def __init__(self, job_count: int) -> None:
        self.moment = STARTED
        self.looks: list[tuple[float, Collection[int]]] = []
        """One for each request: when it came, on the monotonic clock, and the numbers of the jobs it shows."""
        self.jobs = range(1, job_count + 1)
        self._ranges = self._newest_first(PAGE_SIZE)
        self._training_ranges = self._newest_first(TRAINING_PAGE_SIZE)
        self._pages = {at: [self._page(shown, at) for shown in self._ranges] for at in MOMENTS}
        self._training_pages = {
            at: [self._training_page(shown, at, job_count) for shown in self._training_ranges] for at in MOMENTS
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

    def answer(self, target: str, body: bytes) -> bytes:
        """Return the whole answer to a request."""
        url = urlsplit(target)
        if url.path.endswith("/visualization-jobs"):
            query = parse_qs(url.query)
            if (query["order"], query["per_page"]) != (["desc"], [str(PAGE_SIZE)]):
                raise ValueError(f"no such page is prepared: {target}")
            page = int(query["page"][0]) - 1
            return self._look(self._ranges[page], self._pages[self.moment][page])
        if url.path.endswith("/training-job-searches"):
            return self._search(json.loads(body))
        last = url.path.rpartition("/")[2]
        number = jobs.training_number(last) if "/training-jobs/" in url.path else int(last)
        return self._look([number], self._detail(url.path, number))

    def _look(self, shown: Collection[int], answer: bytes) -> bytes:
        self.looks.append((time.monotonic(), shown))
        return answer

    def _detail(self, path: str, number: int) -> bytes:
        if path.startswith("/peer/"):
            return _response(b"", "200 OK" if self.moment == ARRIVED else "404 Not Found")
        describe = jobs.training if "/training-jobs/" in path else jobs.visualization
        return _response(json.dumps(describe(number, self.moment)).encode())

    def _search(self, search: dict[str, Any]) -> bytes:
        filters = {entry["key"]: entry["value"] for entry in search.get("filters", ())}
        if "id" in filters:
            shown = [jobs.training_number(job_id) for job_id in filters["id"]]
            return self._look(shown, self._training_page(shown, self.moment, len(shown)))
        if search["limit"] != TRAINING_PAGE_SIZE:
            raise ValueError(f"no such page is prepared: {search}")
        phase = jobs.TRAINING_PHASES[self.moment]
        if phase not in filters.get("phase", [phase]) or search["offset"] >= len(self._training_ranges):
            return self._look([], self._training_page([], self.moment, 0))
        return self._look(self._training_ranges[search["offset"]], self._training_pages[self.moment][search["offset"]])

    def _newest_first(self, page_size: int) -> list[range]:
        newest_first = self.jobs[::-1]
        return [newest_first[start : start + page_size] for start in range(0, len(newest_first), page_size)]

    def _page(self, shown: range, moment: str) -> bytes:
        page = {
            "is_success": True,
            "job_total_count": len(self.jobs),
            "job_count_limit": 1000,
            "quotas": 1000,
            "jobs": [jobs.visualization(number, moment) for number in shown],
        }
        return _response(json.dumps(page).encode())

    def _training_page(self, shown: Collection[int], moment: str, count: int) -> bytes:
        page = {
            "total": len(self.jobs),
            "count": count,
            "limit": TRAINING_PAGE_SIZE,
            "items": [jobs.training(number, moment) for number in shown],
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
    """Reads requests one after another from a kept connection."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, rest = self._received.split(b"\r\n\r\n", 1)
            length = _CONTENT_LENGTH.search(head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            body, self._received = rest[:size], rest[size:]
            self._transport.write(self._stub.answer(head.split(b" ", 2)[1].decode(), body))


def _response(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
