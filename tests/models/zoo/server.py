"""A web server on this machine that behaves as badly as the path of a request asks for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNKS = 8


class Server(ThreadingHTTPServer):
    """Serves `content` under /whole/, and under other first folders what the handler's methods say."""

    daemon_threads = True

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.requests: list[str] = []
        self.halfway, self.released = threading.Event(), threading.Event()
        self.both = threading.Barrier(2, timeout=60)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        getattr(self, self.path.split("/")[1])(self.server.content)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""

    def begin(self, length: int | None, status: int = 200) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def whole(self, content: bytes) -> None:
        self.begin(len(content))
        self.wfile.write(content)

    def slow(self, content: bytes) -> None:
        self.begin(len(content))
        step = len(content) // CHUNKS + 1
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            self.wfile.flush()
            self.server.released.wait(0.02)

    def half(self, content: bytes) -> None:
        self.begin(len(content))
        self.wfile.write(content[: len(content) // 2])

    def once_half(self, content: bytes) -> None:
        (self.half if len(self.server.requests) == 1 else self.whole)(content)

    def once_busy(self, content: bytes) -> None:
        if len(self.server.requests) == 1:
            self.begin(0, 503)
        else:
            self.whole(content)

    def stalled(self, content: bytes) -> None:
        self.half(content)
        self.wfile.flush()
        self.server.halfway.set()
        self.server.released.wait(60)

    def together(self, content: bytes) -> None:
        """Sends the second half when another request, too, has got the first."""
        self.half(content)
        self.wfile.flush()
        self.server.both.wait()
        self.wfile.write(content[len(content) // 2 :])

    def other(self, content: bytes) -> None:
        self.whole(content[::-1])

    def endless(self, content: bytes) -> None:
        self.begin(None)
        while not self.server.released.is_set():
            self.wfile.write(content)

    def absent(self, _: bytes) -> None:
        self.begin(0, 404)

    def refused(self, _: bytes) -> None:
        self.begin(0, 403)

    def page(self, _: bytes) -> None:
        self.whole(b"<!DOCTYPE html>\n<html><body>Please sign in to read this file.</body></html>\n")

    def pointer(self, _: bytes) -> None:
        self.whole(b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 4956208\n")


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    server = Server(content)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
