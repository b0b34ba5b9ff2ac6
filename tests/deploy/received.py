"""Writes what it receives over HTTP into FILE, a line for each request: the port, the target, and the headers that carry a
secret. tests/deploy/service calls it.

    received.py FILE PORT...
"""

import base64
import hmac
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# The key of the signature, as tests/deploy/service writes it.
KEY = b"of-the-signature"

RECEIVED = Path(sys.argv[1]).open("a", buffering=1, encoding="utf-8")


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        signature = "v1," + base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
        words = [
            str(self.server.server_port),
            self.path,
            self.headers["authorization"] or "-",
            self.headers["proxy-authorization"] or "-",
            "signed" if signature in (self.headers["webhook-signature"] or "").split() else "-",
        ]
        RECEIVED.write(" ".join(words) + "\n")
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


for port in sys.argv[2:]:
    threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver).serve_forever).start()
