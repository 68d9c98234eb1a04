# SPDX-FileCopyrightText: Copyright (c) 2025 NVIDIA CORPORATION & AFFILIATES. All rights reserved.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
# http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""The sample of OSMO's page on checkpointing (its spec and its log are quoted from there, hence the notice above)."""

import re
from pathlib import Path

from acceptance.conftest import Bucket
from support.cli import Osmo, run_id

SPEC = """\
workflow:
  name: sample-group
  tasks:
  - name: task1
    checkpoint:
    - path: /local/path/to/checkpoint
      url: s3://my-bucket/my-folder
      frequency: 30m
      regex: .*.json
"""

LOG = """\
2025/04/22 23:57:13 [task1][osmo] Checkpointing data from /local/path/to/checkpoint to s3://my-bucket/my-folder...
2025/04/22 23:57:14 [task1][osmo] 100%| 5.00M/5.00M [00:00<00:00, 6.73MB/s, file_name=/local/path/to/checkpoint/file_1.json]
2025/04/22 23:57:14 [task1][osmo] 2025-04-22T23:57:14+0000 client [INFO] data: Data has been uploaded
2025/04/22 23:57:15 [task1][osmo] Checkpointing data from /local/path/to/checkpoint to s3://my-bucket/my-folder finished
"""  # noqa: E501

SHAPES = (
    r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d",  # when
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    r"\d\d:\d\d<\d\d:\d\d",  # how long, how long still
    r"\d[\d.]{2,3}[kMG]?B/s",
)


def pattern(line: str, path: str, url: str) -> str:
    """The page's line with its path and url replaced, and what is never the same twice as a pattern."""
    text = line.replace("/local/path/to/checkpoint", path).replace("s3://my-bucket/my-folder", url)
    pieces = re.split(f"({'|'.join(SHAPES)})", text)
    return "".join(
        next((shape for shape in SHAPES if re.fullmatch(shape, piece)), re.escape(piece)) for piece in pieces
    )


def test_the_page_s_sample_runs_and_its_log_is_the_page_s(osmo: Osmo, bucket: Bucket, tmp_path: Path) -> None:
    path, url = tmp_path / "local/path/to/checkpoint", f"s3://{bucket.name}/my-folder"
    path.mkdir(parents=True)
    (path / "file_1.json").write_bytes(b"[0]\n" * (5 * 1024 * 1024 // 4))
    (path / "notes.txt").write_text("not for the store\n")
    spec = SPEC.replace("/local/path/to/checkpoint", str(path)).replace("s3://my-bucket/my-folder", url)

    result = osmo("workflow", "submit", osmo.spec(spec), "--follow")

    assert result.returncode == 0, result.stderr
    assert run_id(result.stdout) == "sample-group-1"
    ours = [line for line in result.stdout.splitlines() if "[task1][osmo] " in line]
    first = next(place for place, line in enumerate(ours) if line.endswith("..."))
    for want, line in zip(LOG.splitlines(), ours[first : first + 4], strict=True):
        assert re.fullmatch(pattern(want, str(path), url), line), (want, line)
    assert bucket.files() == {"my-folder/checkpoint/file_1.json"}
    [checkpoint] = bucket.beneath("my-folder").checkpoints("task1.checkpoint")
    assert checkpoint["trigger"] == "final"
    assert [file["name"] for file in checkpoint["files"]] == ["file_1.json"]
