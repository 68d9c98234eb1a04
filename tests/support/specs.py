"""A spec that has every field there is."""

from typing import Any, Final

EVERY_FIELD: Final[dict[str, Any]] = {
    "version": 2,
    "default-values": {"a": 1},
    "workflow": {
        "name": "w",
        "pool": "p",
        "backend": "b",
        "labels": {"a": "b"},
        "timeout": {"exec_timeout": 30, "queue_timeout": "1h"},
        "resources": {
            "default": {
                "cpu": 1,
                "gpu": "{{ gpu }}",
                "memory": "1Gi",
                "storage": 5,
                "platform": "p",
                "nodesExcluded": ["n"],
                "topology": [{"key": "rack", "group": "g", "requirementType": "preferred"}],
            }
        },
        "groups": [
            {
                "name": "g",
                "barrier": True,
                "ignoreNonleadStatus": False,
                "tasks": [
                    {
                        "name": "a",
                        "lead": True,
                        "image": "i",
                        "command": ["x", 1, 1.5],
                        "args": ["x", 1],
                        "environment": {"A": True, "B": 1, "C": "c"},
                        "files": [{"path": "f", "contents": "", "base64": True}, {"path": "g", "localpath": "g"}],
                        "inputs": [{"task": "wf-1:t", "regex": ".*"}, {"url": "s3://b"}],
                        "outputs": [{"url": "s3://b", "regex": "x"}],
                        "checkpoint": [
                            {"path": "p", "url": "s3://b", "frequency": 1, "regex": "", "keep": 2, "restore": True}
                        ],
                        "exitActions": {"COMPLETE": 0, "FAIL": "1-9", "RESCHEDULE": [11, "13-15"]},
                        "resource": "default",
                        "credentials": {"a": "/a", "b": {"A": "key"}},
                        "volumeMounts": ["/a:/b"],
                        "privileged": False,
                        "hostNetwork": False,
                        "kpis": [{"index": "i", "path": "p"}],
                        "cacheSize": "1Gi",
                        "downloadType": "download",
                        "backend": "b",
                        "resources": {},
                    }
                ],
            }
        ],
    },
}
