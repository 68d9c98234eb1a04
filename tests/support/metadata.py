"""A cloud's metadata server, on loopback: it says whether this machine is about to be taken away."""

import json
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from osmo.agent.spot import Cloud

AT = datetime(2026, 9, 18, 8, 22, tzinfo=UTC)


class Metadata(ThreadingHTTPServer):
    """One address that is AWS's, Google's or Azure's, or all of them. What it says can be changed while it runs."""

    daemon_threads = True

    def __init__(self, *clouds: Cloud, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.clouds = clouds
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.doomed = False
        self.at = AT  # the end, once `doomed`
        self.flows = threading.Event()
        self.flows.set()
        self.tokens = 0
        self.requests: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def expire(self) -> None:
        """Every token given so far."""
        self.tokens += 1

    def says(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        match path.split("/")[1]:
            case "latest" if Cloud.AWS in self.clouds:
                return self._aws(method, path, headers)
            case "computeMetadata" if Cloud.GCP in self.clouds and headers.get("metadata-flavor") == "Google":
                return 200, "TRUE" if self.doomed else "FALSE"
            case "metadata" if Cloud.AZURE in self.clouds and headers.get("metadata") == "true":
                return 200, json.dumps(self._azure(path))
        return 404, "no such thing"

    def _aws(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        if path == "/latest/api/token" and method == "PUT" and headers.get("x-aws-ec2-metadata-token-ttl-seconds"):
            return 200, f"token-{self.tokens}=="
        if headers.get("x-aws-ec2-metadata-token") != f"token-{self.tokens}==":
            return 401, ""
        if path == "/latest/meta-data/spot/instance-action" and self.doomed:
            return 200, json.dumps({"action": "terminate", "time": f"{self.at:%Y-%m-%dT%H:%M:%SZ}"})
        return 404, ""

    def _azure(self, path: str) -> dict:
        if path.startswith("/metadata/instance/compute?"):
            return {"name": "train_0", "vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6"}
        events = {"EventType": "Preempt", "Resources": ["train_0"], "NotBefore": format_datetime(self.at, usegmt=True)}
        return {"DocumentIncarnation": 1, "Events": [events] if self.doomed else []}


class Handler(BaseHTTPRequestHandler):
    server: Metadata

    def do_GET(self) -> None:
        self.server.flows.wait()
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, body = self.server.says(self.command, self.path, headers)
        self.server.requests.append((f"{self.command} {self.path}", status))
        self.send_response(status)
        if Cloud.GCP in self.server.clouds:
            self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(body.encode())

    do_PUT = do_GET  # noqa: N815  # the standard library's name

    def log_message(self, *_: object) -> None:
        pass
