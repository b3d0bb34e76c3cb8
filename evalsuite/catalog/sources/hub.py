"""Models on the Hugging Face hub (or a stand-in, by HF_ENDPOINT): one file of a repository, at a fixed commit."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from evalsuite.catalog.sources.transfer import (
    Delivery,
    Job,
    download,
    http_session,
    reason,
    require_space,
    sha256_of,
)
from evalsuite.errors import FetchError
from evalsuite.records import Model

__all__ = ["deliver"]

_HUB = "https://huggingface.co"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class _Remote:
    url: str
    commit: str
    sha256: str | None
    """The hub's own, of a file in its large-file storage."""
    size: int | None


def deliver(job: Job) -> Delivery:
    """Fetch a model file from the hub."""
    # hf_hub_download is not used: it throws a broken-off download away instead of going on from there.
    token = _token()
    remote = _look_up(job.model, token)
    listed = job.model.sha256
    if listed is not None and remote.sha256 is not None and listed != remote.sha256:
        raise FetchError(
            f"{job.model.source} on the hub is not the file of the catalog: sha256 {remote.sha256}, catalog {listed}",
            fix="pin the commit that the catalog was made from with `revision`, or correct its sha256",
        )
    # Named by content, so that the beginning of one file is never continued with another.
    part = job.work / f"{remote.sha256 or remote.commit}.part"
    if remote.size is not None:
        there = part.stat().st_size if part.exists() else 0
        require_space(job.work, max(0, remote.size - there))
    job.progress.start(remote.size, job.model.name)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    download(http_session(), remote.url, part, progress=job.progress, headers=headers, size=remote.size)
    return Delivery(part, sha256_of(part), listed or remote.sha256, remote.commit)


def _token() -> str | None:
    from huggingface_hub import constants, get_token

    return None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()


def _look_up(model: Model, token: str | None) -> _Remote:
    import huggingface_hub as hub
    from huggingface_hub import errors

    endpoint = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    repo, filename, revision = str(model.source.repo), str(model.source.filename), model.source.revision
    where = f"{endpoint}/{repo}"
    try:
        url = hub.hf_hub_url(repo, filename, revision=revision, endpoint=endpoint)
        meta = hub.get_hf_file_metadata(url, endpoint=endpoint, token=token or False)
    except errors.GatedRepoError as problem:
        raise FetchError(
            f"{repo} is gated: its licence must be accepted first",
            fix=f"accept it at {where}, and set HF_TOKEN to a token of that account",
        ) from problem
    except errors.RepositoryNotFoundError as problem:
        raise FetchError(
            f"the hub has no model {repo!r}, or not for you",
            fix=f"check the name at {where}; for a private or gated one accept its licence there and set HF_TOKEN",
        ) from problem
    except errors.RevisionNotFoundError as problem:
        raise FetchError(f"{repo} has no revision {revision!r}", fix=f"see {where}/commits/main") from problem
    except errors.EntryNotFoundError as problem:
        raise FetchError(f"{repo} has no file {filename!r}", fix=f"see {where}/tree/{revision or 'main'}") from problem
    except errors.OfflineModeIsEnabled as problem:
        raise FetchError(f"{model.source} is not in the cache, and HF_HUB_OFFLINE is set", fix="unset it") from problem
    except errors.HfHubHTTPError as problem:
        raise _refused(model, problem) from problem
    except Exception as problem:
        # The HTTP library below huggingface_hub changes with its versions, and so do its errors.
        raise FetchError(
            f"{endpoint} cannot be reached for {model.source}: {reason(problem)}",
            fix="check the connection; HF_ENDPOINT names another hub",
        ) from problem
    if meta.commit_hash is None:
        raise FetchError(f"{endpoint} does not answer like a Hugging Face hub", fix="check HF_ENDPOINT")
    pinned = hub.hf_hub_url(repo, filename, revision=meta.commit_hash, endpoint=endpoint)
    found = meta.etag if meta.etag is not None and _SHA256.fullmatch(meta.etag) else None
    return _Remote(pinned, meta.commit_hash, found, meta.size)


def _refused(model: Model, problem: Exception) -> FetchError:
    status = getattr(getattr(problem, "response", None), "status_code", None)
    if status in (401, 403):
        return FetchError(
            f"the hub refuses {model.source} ({status}): the token is missing, wrong or has no access",
            fix=f"accept the licence at {_HUB}/{model.source.repo}, and set HF_TOKEN to a token of that account",
        )
    return FetchError(f"the hub refuses {model.source}: {reason(problem)}", fix="try again later")
