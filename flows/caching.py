"""How Prefect's cache and the store agree: one explicit key, and the store has the last word.

Prefect would hash a task's own source lines and its arguments, so a change in a helper would go unnoticed and a change
of worker count would not. Here a task's cache key is the key of what it publishes; a cached result whose artifact is no
longer in the store is refreshed. Results are references, persisted as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar, cast

from prefect import Task
from prefect.cache_policies import CacheKeyFnPolicy

from tasks.core.identity import Identity, fingerprint
from tasks.core.store import Store

P = ParamSpec("P")
R = TypeVar("R")


def cached(task: Task[P, R], store: Store, identities: Sequence[Identity]) -> Callable[P, R]:
    """Return `task` cached under the identities of what it publishes in `store`."""
    key = fingerprint([str(store.root), [identity.key for identity in identities]])
    missing = any(store.find(identity) is None for identity in identities)
    keyed = task.with_options(
        cache_policy=CacheKeyFnPolicy(cache_key_fn=lambda _context, _arguments: key),
        refresh_cache=missing,
        persist_result=True,
        result_serializer="json",
    )
    return cast(Callable[P, R], keyed)
