"""The clients of `benchmarks.live`, in a process of their own, so that reading does not slow the writing down.

python -m benchmarks.live_clients <port> <token> <clients> <run> ...
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime


async def listen(port: int, token: str, clients: int, runs: Sequence[str]) -> None:
    """Open the streams, say so, and on `stop` print how long each delivery after `count` took in milliseconds."""
    taken: list[float] = []
    is_counting = [False]
    ready = asyncio.Semaphore(0)
    queries = ["kinds=run"] * (clients // 2)
    queries += [f"run={runs[number % len(runs)]}" for number in range(clients - len(queries))]
    tasks = [asyncio.create_task(client(port, token, query, ready, is_counting, taken)) for query in queries]
    for _ in tasks:
        await ready.acquire()
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    is_counting[0] = True
    await loop.run_in_executor(None, sys.stdin.readline)
    for task in tasks:
        task.cancel()
    print(json.dumps(taken), flush=True)


async def client(
    port: int, token: str, query: str, ready: asyncio.Semaphore, is_counting: list[bool], taken: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    writer.write(
        f"GET /api/v1/events/?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    kind = ""
    while line := await reader.readline():
        if line.startswith(b"event: "):
            kind = line[7:].strip().decode()
            if kind == "ready":
                ready.release()
        elif line.startswith(b"data: ") and kind == "run" and is_counting[0]:
            now = time.time()
            at = json.loads(line[6:])["at"]
            taken.append(round(1000 * (now - datetime.fromisoformat(at).timestamp()), 1))


if __name__ == "__main__":
    asyncio.run(listen(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
