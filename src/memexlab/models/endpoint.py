"""One attempt at an OpenAI-compatible chat completion, streamed, so that a stall is noticed. Believes nothing it hears.

It repeats only what a server refused to know (schema, usage, token bound): that is left out, or renamed, from then on.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..ledger import UsageError
from .prompts import HEARING, CallFailed, Prompt, Reply

if TYPE_CHECKING:
    import httpx

#: A stream that is silent for half of the call's time, and for this long at most, is dead.
LONGEST_PAUSE_SECONDS = 120.0
MOST_REPLY_BYTES = 8_000_000
_SHOWN_CHARS = 300
#: What can be done without, and how a server that does not know it calls it.
_OPTIONAL = {
    "response_format": "response_format|schema",
    "stream_options": "stream_options",
    "max_tokens": "max_tokens",
}


class Endpoint:
    """A model behind a base URL such as `https://api.openai.com/v1`; `key_env` names the variable with the key."""

    def __init__(self, name: str, base_url: str, key_env: str = "") -> None:
        self.name, self.base_url, self.key_env = name, base_url.rstrip("/"), key_env
        self._without: set[str] = set()

    def complete(self, prompt: Prompt, *, max_tokens: int, timeout_seconds: float) -> Reply:
        import httpx

        key = self._key()
        begun = time.monotonic()
        pause = min(LONGEST_PAUSE_SECONDS, timeout_seconds / 2)
        heard = _Heard(begun + timeout_seconds, self.base_url, key)
        try:
            with httpx.Client(
                timeout=httpx.Timeout(pause, connect=min(20.0, pause)),
                trust_env=re.match(r"https?://(localhost|127\.|\[::1\])", self.base_url) is None,
                headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
            ) as client:
                while not heard.finish:
                    body = self._body(prompt, max_tokens)
                    with client.stream("POST", f"{self.base_url}/chat/completions", json=body) as response:
                        if response.status_code == 200:
                            heard.read(response)
                        else:
                            self._refused(heard, response, body)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            what = f"said nothing for {pause:g} s" if isinstance(error, httpx.ReadTimeout) else repr(error)
            raise heard.failed(what) from error
        return Reply(heard.text, heard.tokens_in, heard.tokens_out, time.monotonic() - begun, finish=heard.finish)

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        if self.key_env and not (key and key.isascii() and key.isprintable()):
            raise UsageError(f"the variable {self.key_env} holds no key", f"export {self.key_env}=...")
        return key

    def _body(self, prompt: Prompt, max_tokens: int) -> dict[str, Any]:
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        body: dict[str, Any] = {
            "model": self.name, "messages": [*messages, {"role": "user", "content": prompt.text}],
            "stream": True, "stream_options": {"include_usage": True}, "max_tokens": max_tokens,
        }  # fmt: skip
        if prompt.schema is not None:
            schema = {"name": "reply", "schema": prompt.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        body = {name: value for name, value in body.items() if name not in self._without}
        return body if "max_tokens" in body else {**body, "max_completion_tokens": max_tokens}

    def _refused(self, heard: _Heard, response: httpx.Response, body: dict[str, Any]) -> None:
        """Leaves out what the refusal names; raises CallFailed where it names nothing of the kind."""
        said = b"".join(heard.chunks(response)).decode("utf-8", "replace")
        status = response.status_code
        if status in (400, 422):
            for name, words in _OPTIONAL.items():
                if name in body and re.search(words, said):
                    self._without.add(name)
                    return
        retryable = status in (408, 425, 429) or status >= 500
        hint = "" if retryable else "mend base_url, name or key_env under [model] of memex.toml"
        error = heard.failed(f"answered {status}: {' '.join(said.split())}", hint, retryable)
        wait = response.headers.get("retry-after", "")
        error.wait_seconds = float(wait) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", wait) else None
        raise error


class _Heard:
    """What has come of one reply so far."""

    def __init__(self, deadline: float, base_url: str, key: str) -> None:
        self.deadline, self.base_url, self.key = deadline, base_url, key
        self.text = self.finish = ""
        self.tokens_in = self.tokens_out = 0
        self.began = False

    def failed(self, what: str, hint: str = "", retryable: bool = True) -> CallFailed:
        """The error to raise; a key that the server echoed is taken out, before anything is cut."""
        shown = (what.replace(self.key, "[key]") if self.key else what)[:_SHOWN_CHARS]
        hint = hint or f"curl {self.base_url}/models"
        error = CallFailed(f"{self.base_url}: {shown}", retryable=retryable, hint=hint)
        error.text, error.charged = self.text, self.began
        return error

    def read(self, response: httpx.Response) -> None:
        """Sets `finish` when the reply is whole; raises CallFailed where it breaks off."""
        self.began = True
        HEARING.get()("")
        streamed = "text/event-stream" in response.headers.get("content-type", "")
        for line in self._lines(response) if streamed else (b"data:" + b"".join(self.chunks(response)),):
            said = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
            if said == b"[DONE]":
                self.finish = self.finish or "stop"
                return
            if said:
                self._take(said)
        if not self.finish:
            raise self.failed("the reply broke off before it was whole")

    def _take(self, data: bytes) -> None:
        try:
            sent = json.loads(data)
            usage, choices = sent.get("usage") or {}, sent.get("choices") or [{}]
            said = choices[0].get("delta") or choices[0].get("message") or {}
            content, finish = said.get("content") or "", choices[0].get("finish_reason") or ""
            counts = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
        except (ValueError, RecursionError, AttributeError, TypeError, KeyError) as error:
            raise self.failed(f"sent what is no chat completion: {data.decode('utf-8', 'replace')!r}") from error
        if sent.get("error") or not isinstance(content, str):
            raise self.failed(f"failed while it wrote: {data.decode('utf-8', 'replace')}")
        self.text, self.finish = self.text + content, self.finish or str(finish)
        HEARING.get()(content)
        if all(type(count) is int and count > 0 for count in counts):
            self.tokens_in, self.tokens_out = counts

    def _lines(self, response: httpx.Response) -> Iterator[bytes]:
        rest = bytearray()
        for chunk in self.chunks(response):
            rest += chunk
            if b"\n" in chunk:
                *lines, rest = rest.split(b"\n")
                yield from map(bytes, lines)
        yield bytes(rest)

    def chunks(self, response: httpx.Response) -> Iterator[bytes]:
        total = 0
        for chunk in response.iter_bytes():
            total += len(chunk)
            if total > MOST_REPLY_BYTES:
                raise self.failed(f"sent over {MOST_REPLY_BYTES} bytes")
            if time.monotonic() > self.deadline:
                raise self.failed("was not done in time", "raise timeout_seconds under [model]", retryable=False)
            yield chunk
