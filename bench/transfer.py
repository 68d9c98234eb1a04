"""boto3's transfer manager as people use it: every file to its key, or back. Run by path, with the Python of .bench.

argv: `up` or `down`, the endpoint, a folder, `bucket/prefix`. One manager with its defaults (ten threads, 8 MiB parts).
"""

import os
import sys
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager


def main() -> None:
    direction, endpoint, folder, to = sys.argv[1:]
    bucket, _, prefix = to.partition("/")
    client = boto3.client("s3", endpoint_url=endpoint)
    with create_transfer_manager(client, TransferConfig()) as manager:
        if direction == "up":
            paths = [Path(place) / name for place, _, names in os.walk(folder) for name in names]
            futures = [manager.upload(str(p), bucket, f"{prefix}/{p.relative_to(folder)}") for p in paths]
        else:
            futures = []
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
                for found in page.get("Contents", ()):
                    key = found["Key"]
                    path = Path(folder) / key.removeprefix(f"{prefix}/")
                    if "/.osmo/" not in key:
                        path.parent.mkdir(parents=True, exist_ok=True)
                        futures.append(manager.download(bucket, key, str(path)))
        for future in futures:
            future.result()


if __name__ == "__main__":
    main()
