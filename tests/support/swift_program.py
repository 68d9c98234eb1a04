"""OpenStack Swift in one process: proxy with its S3 API, account, container and object server, on one disk.

Run by Debian's Python with Debian's Swift, never imported; `support.swift` starts it. Arguments: a directory to keep
all in, a port of 127.0.0.1, the user as `account:name`, by how many seconds its clock is ahead. The user's key is the
first line of standard input. It answers once it has printed a line.
"""

import os
import sys
import time
from pathlib import Path

_now, _ahead_s = time.time, float(sys.argv[4])
time.time = lambda: _now() + _ahead_s  # before anybody takes the other one

import eventlet  # noqa: E402  # it takes the time
from swift.common import utils  # noqa: E402

HASH = "[swift-hash]\nswift_hash_path_suffix = tests\n[storage-policy:0]\nname = one\ndefault = yes\n"
BEHIND = """[DEFAULT]
devices = {directory}/devices
mount_check = false
fallocate_reserve = 0
swift_dir = {directory}
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
FILTERS = ("catch_errors", "gatekeeper", "listing_formats", "s3api", "tempauth", "copy", "slo", "dlo")
PROXY = """[DEFAULT]
swift_dir = {directory}
[pipeline:main]
pipeline = {filters} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""
OPTIONS = {"tempauth": "user_{user} = {key} .admin\n", "s3api": "location = us-east-1\nmax_upload_part_num = 10000\n"}


class Cache:
    """What memcached is for: it lets the proxy ask less often what containers there are."""

    def __init__(self):
        self._kept = {}

    def get(self, key, **_):
        return self._kept.get(key)

    def set(self, key, value, **_):
        self._kept[key] = value

    def delete(self, key, **_):
        self._kept.pop(key, None)

    def incr(self, key, delta=1, **_):
        self._kept[key] = self._kept.get(key, 0) + delta
        return self._kept[key]


def main(directory, port, user, key):
    (directory / "swift.conf").write_text(HASH)
    utils.set_swift_dir(str(directory))
    utils.eventlet_monkey_patch()
    from eventlet import wsgi
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.storage_policy import reload_storage_policies
    from swift.common.wsgi import loadapp

    reload_storage_policies()
    (directory / "devices/disk").mkdir(parents=True)
    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in ("account", "container", "object")}
    for name, socket in sockets.items():
        (directory / f"{name}.conf").write_text(BEHIND.format(directory=directory, name=name))
        ring(directory / f"{name}.ring.gz", socket.getsockname()[1])
    sockets["proxy"] = eventlet.listen(("127.0.0.1", port))
    (directory / "proxy.conf").write_text(proxy(directory, user, key))
    running = []
    for name, socket in sockets.items():
        app = loadapp(str(directory / f"{name}.conf"), allow_modify_pipeline=name == "proxy")
        served = cached(app, Cache()) if name == "proxy" else app
        logger = utils.get_logger({}, name)
        running.append(
            eventlet.spawn(wsgi.server, socket, served, logger, protocol=SwiftHttpProtocol, log_output=False)
        )
    print("it runs", flush=True)
    for each in running:
        each.wait()


def ring(path, port):
    """The one disk has everything."""
    from swift.common.ring import RingBuilder

    builder = RingBuilder(1, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "disk", "weight": 1.0})
    builder.rebalance()
    builder.get_ring().save(str(path))


def proxy(directory, user, key):
    filters = "".join(
        f"[filter:{name}]\nuse = egg:swift#{name}\n"
        + OPTIONS.get(name, "").format(user=user.replace(":", "_"), key=key)
        for name in FILTERS
    )
    return PROXY.format(directory=directory, filters=" ".join(FILTERS)) + filters


def cached(app, cache):
    def serve(environ, start_response):
        environ["swift.cache"] = cache
        return app(environ, start_response)

    return serve


if __name__ == "__main__":
    os.umask(0o077)  # the key is in a file of it
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.stdin.readline().strip())
