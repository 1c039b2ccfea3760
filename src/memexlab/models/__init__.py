"""Language models behind one method, and the only caller of them."""

from __future__ import annotations

from ..ledger import UsageError
from .driver import BudgetSpent, Driver, Estimate, Spent
from .endpoint import Endpoint
from .local import Local, Scripted
from .prompts import HEARING, CallFailed, ModelSettings, Prompt, Provider, Reply

__all__ = [
    "HEARING", "BudgetSpent", "CallFailed", "Driver", "Estimate", "ModelSettings", "Prompt", "Provider", "Reply",
    "Spent", "provider_from",
]  # fmt: skip


def provider_from(settings: ModelSettings) -> Provider | None:
    """The provider that the dial names; None for `none` and `agent`. Raises UsageError where a setting is missing."""
    wanted = {"endpoint": ("base_url", "name"), "local": ("file",), "scripted": ("file",)}.get(settings.dial, ())
    missing = [name for name in wanted if not getattr(settings, name)]
    if missing:
        raise UsageError(
            f"the dial is at {settings.dial}, and [model] has no {' and no '.join(missing)}",
            "; ".join(f'{name} = "..."' for name in missing) + "   under [model] of memex.toml",
        )
    if settings.dial == "endpoint":
        return Endpoint(settings.name, settings.base_url, settings.key_env)
    if settings.dial == "local":
        return Local(settings.file, settings.name)
    return Scripted(settings.file, settings.name) if settings.dial == "scripted" else None
