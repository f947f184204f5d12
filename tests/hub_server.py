"""A server on loopback that speaks as much of the Hugging Face Hub's API as its client needs to push and pull a model repository.

    with HubServer() as hub:
        subprocess.run(command, env=os.environ | hub.environment(tmp_path))
        hub.files("team/evaluator")["config.json"]

Binary files go by Git LFS, as on the Hub; Xet is switched off in the client. Private repositories and all writing ask for the token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from loopback import Answer, Handler, closed, serving

TOKEN = "hf_loopback"
_LFS = (".safetensors",)


class HubServer:
    """See the module."""

    def __init__(self) -> None:
        self.repos: dict[str, list[dict[str, bytes]]] = {}
        """Of each repository its commits: path -> content."""
        self.private: set[str] = set()
        self.uploaded: dict[str, bytes] = {}
        """LFS objects by sha256."""
        self._lock = threading.Lock()
        outer = self

        class Hub(Handler):
            def do_GET(self) -> None:
                body = self.body()
                known = self.headers.get("authorization") == f"Bearer {TOKEN}"
                with outer._lock:
                    answer = outer._route(self.command, unquote(urlsplit(self.path).path), body, known)
                self.send(answer)

            do_HEAD = do_POST = do_PUT = do_GET

        self._server, self.url = serving(Hub)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        closed(self._server)

    def environment(self, home: Path) -> dict[str, str]:
        """What a client's process is started with; `home` is its cache."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HUB_OFFLINE": "0",  # the server is on loopback: the caller may well be offline
            "HF_HOME": str(home),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    def files(self, repo: str) -> dict[str, bytes]:
        """The files of a repository as they now are; a change of the dictionary changes no commit."""
        return dict(self.repos[repo][-1])

    def commit(self, repo: str, changed: dict[str, bytes]) -> None:
        """Somebody else's commit."""
        self.repos[repo].append(self.files(repo) | changed)

    def _route(self, method: str, path: str, body: bytes, known: bool) -> Answer:
        if method == "POST" and not known:  # the address of a PUT is a secret in itself, as in the Hub's storage
            return _error(401, "Invalid credentials in Authorization header")
        match path.strip("/").split("/"):
            case ["api", "repos", "create"]:
                return self._create(json.loads(body))
            case ["api", "validate-yaml"]:
                return 200, {}, {"errors": [], "warnings": []}
            case ["api", "models", org, name, *rest]:
                return self._model(f"{org}/{name}", rest, body, known)
            case [org, name, "info", "lfs", "objects", "batch"]:
                return self._batch(f"{org}/{name.removesuffix('.git')}", json.loads(body))
            case ["lfs", oid] if method == "PUT":
                if hashlib.sha256(body).hexdigest() != oid:
                    return _error(400, "the content is not of the stated hash")
                self.uploaded[oid] = body
                return 200, {}, {}
            case ["lfs", oid, "verify"]:
                return (200, {}, {}) if oid in self.uploaded else _error(404, "nothing was uploaded")
            case [org, name, "resolve", revision, *inner]:
                return self._resolve(f"{org}/{name}", revision, "/".join(inner), known)
        return _error(404, f"this server does not speak {method} {path}")

    def _create(self, asked: dict[str, Any]) -> Answer:
        repo = f"{asked.get('organization') or 'me'}/{asked['name']}"
        answer = {"url": f"{self.url}/{repo}"}
        if repo in self.repos:
            return 409, {}, answer | {"error": "You already created this model repo"}
        self.repos[repo] = [{".gitattributes": b"*.safetensors filter=lfs\n"}]
        if asked.get("private") or asked.get("visibility") == "private":
            self.private.add(repo)
        return 200, {}, answer

    def _hidden(self, repo: str, known: bool) -> bool:
        return repo not in self.repos or (repo in self.private and not known)

    def _model(self, repo: str, rest: list[str], body: bytes, known: bool) -> Answer:
        if self._hidden(repo, known):
            return _error(401, "Repository not found", code="RepoNotFound")
        match rest:
            case [] | ["revision", _]:
                files = self._at(repo, rest[1] if rest else "main")
                siblings = [{"rfilename": path} for path in files]
                return 200, {}, {"id": repo, "sha": _sha(repo, files), "private": repo in self.private, "siblings": siblings, "tags": []}
            case ["tree", revision]:
                return 200, {}, [_entry(path, data) for path, data in self._at(repo, revision).items()]
            case ["preupload", "main"]:
                asked = [file["path"] for file in json.loads(body)["files"]]
                files = [{"path": p, "uploadMode": "lfs" if p.endswith(_LFS) else "regular", "shouldIgnore": False} for p in asked]
                return 200, {}, {"files": files}
            case ["commit", "main"]:
                return self._commit(repo, [json.loads(line) for line in body.splitlines()])
        return _error(404, f"this server does not speak {rest}")

    def _at(self, repo: str, revision: str) -> dict[str, bytes]:
        if revision == "main":
            return self.repos[repo][-1]
        return next(files for files in self.repos[repo] if _sha(repo, files) == revision)

    def _batch(self, repo: str, asked: dict[str, Any]) -> Answer:
        objects = []
        for item in asked["objects"]:
            href = f"{self.url}/lfs/{item['oid']}"
            actions = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
            objects.append(item if item["oid"] in self.uploaded else {**item, "actions": actions})
        return 200, {}, {"transfer": "basic", "objects": objects}

    def _commit(self, repo: str, lines: list[dict[str, Any]]) -> Answer:
        files = self.files(repo)
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "deletedFile":
                    del files[value["path"]]
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.uploaded[value["oid"]]
        self.repos[repo].append(files)
        sha = _sha(repo, files)
        return 200, {}, {"commitUrl": f"{self.url}/{repo}/commit/{sha}", "commitOid": sha, "success": True}

    def _resolve(self, repo: str, revision: str, path: str, known: bool) -> Answer:
        if self._hidden(repo, known):
            return _error(401, "Repository not found", code="RepoNotFound")
        files = self._at(repo, revision)
        if path not in files:
            return _error(404, "Entry not found", code="EntryNotFound")
        entry = _entry(path, files[path])
        etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        headers = {"content-type": "application/octet-stream", "etag": f'"{etag}"', "x-repo-commit": _sha(repo, files)}
        return 200, headers, files[path]


def _sha(repo: str, files: dict[str, bytes]) -> str:
    """The name of a commit: forty hex digits over its files."""
    digest = hashlib.sha1(repo.encode())
    for path, data in sorted(files.items()):
        digest.update(f"{path} {hashlib.sha1(data).hexdigest()}".encode())
    return digest.hexdigest()


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
    if path.endswith(_LFS):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return entry


def _error(status: int, message: str, *, code: str = "") -> Answer:
    return status, {"x-error-message": message, **({"x-error-code": code} if code else {})}, {"error": message}
