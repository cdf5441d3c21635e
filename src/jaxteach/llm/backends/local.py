"""A backend that runs a model in this process with transformers: answers in batches, exact scores."""

import contextlib
import copy
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jaxteach.llm.backend import Reply, Score, at_least
from jaxteach.llm.backends.weights import Weights, find_weights
from jaxteach.llm.prompts import Message
from jaxteach.llm.thoughts import begun_thought, end_of
from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.surroundings import how_to_install

_EXTRA = ("torch", "transformers", "accelerate", "gguf", "huggingface_hub")


@dataclass(frozen=True)
class LocalSettings:
    """How to load and run a model.

    Attributes:
        revision: of a model on the hub.
        offline: never use the network.
        device: "auto", or a torch device such as "cpu" or "cuda:1".
        dtype: "auto" (bfloat16 on an accelerator, float32 on a CPU), or a torch dtype such as "float16".
        threads: torch threads; None leaves torch's own choice.
        batch: answers generated at the same time.
    """

    revision: str | None = None
    offline: bool = False
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    batch: int = 20


class LocalBackend:
    """A causal language model and its tokenizer.

    A conversation's beginning, up to the last question, is the same for every state of a task: its keys and
    values are computed once and copied. Sampling adds Gumbel noise from a generator of each answer's own to
    the logits and takes the largest, which is the same as drawing from the softmax, but does not depend on
    the other answers of a batch.

    Args:
        model: a folder, a .gguf file, or a name on the hub.
        settings: how to run it.

    Raises:
        UserError: a setting makes no sense, the extra is not installed, or the model cannot be found or
            loaded.
    """

    capabilities = frozenset({"generate", "score"})
    concurrency = 1

    def __init__(self, model: str, settings: LocalSettings) -> None:
        at_least("batch", settings.batch, 1)
        if settings.threads is not None:
            at_least("threads", settings.threads, 1)
        if settings.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is imported
        self._versions = _versions()
        self._weights = find_weights(model, settings.revision, settings.offline)
        import torch
        import transformers

        if settings.threads:
            torch.set_num_threads(settings.threads)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self.batch = settings.batch
        self._torch = torch
        self._device, self._dtype = _placement(torch, settings)
        self._tokenizer, self._model = _load(transformers, self._weights, self._device, self._dtype)
        self._end = _end_tokens(self._model, self._tokenizer)
        self._start: tuple[list[int], Any] = ([], None)
        self._sha256 = self._weights.sha256()

    def describe(self) -> dict[str, Any]:
        """What answers."""
        return {
            "backend": "transformers",
            "model": self._weights.name,
            "revision": self._weights.revision,
            "weights_sha256": self._sha256,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": self._device.type,
            "chat_template": bool(self._tokenizer.chat_template),
            "versions": self._versions,
        }

    def generate(
        self, messages: Sequence[Message], seeds: Sequence[int], temperature: float, max_tokens: int
    ) -> list[Reply]:
        """Answer once for each seed, all in one batch."""
        with self._torch.inference_mode(), _told(f"{len(seeds)} answers at a time"):
            prompt = self._render(messages)
            ids = self._encode(prompt)
            cache = self._read(self._shared(messages, ids), ids[:-1])
            if len(seeds) > 1:
                cache.batch_repeat_interleave(len(seeds))
            rows = self._decode(cache, ids[-1], seeds, temperature, max_tokens)
        replies = []
        for row in rows:
            stopped = row[-1] in self._end
            # Special tokens stay: some mark what is only a thought, as may the one that the prompt ends with.
            text = self._tokenizer.decode(row[:-1] if stopped else row, skip_special_tokens=False)
            replies.append(
                Reply(begun_thought(prompt) + text, len(ids), len(row), "stop" if stopped else "length")
            )
        return replies

    def stop(self) -> None:
        """Nothing is under way in other threads."""

    def score(self, messages: Sequence[Message], prefill: str, options: Sequence[str]) -> list[Score]:
        """Log-likelihood of every option, all in one padded batch."""
        torch = self._torch
        prompt = self._render(messages)
        begun = prompt + _after_thought(begun_thought(prompt).strip(), prefill)
        rows = [self._encode(begun + option) for option in options]
        # Tokens that differ from the prefill's own, or straddle its end, belong to the option.
        known = min(_common(row, self._encode(begun)) for row in rows)
        tails = [row[known - 1 :] for row in rows]
        longest = max(len(tail) for tail in tails)
        with torch.inference_mode(), _told(f"{len(options)} options at a time"):
            cache = self._read(self._shared(messages, rows[0][:known]), rows[0][: known - 1])
            if len(rows) > 1:
                cache.batch_repeat_interleave(len(rows))
            padded = torch.tensor([t + [0] * (longest - len(t)) for t in tails], device=self._device)
            seen = torch.tensor([[1] * (known - 1 + len(t)) + [0] * (longest - len(t)) for t in tails])
            logits = self._model(padded, past_key_values=cache, attention_mask=seen.to(self._device)).logits
            steps = torch.log_softmax(logits[:, :-1].float(), dim=-1)
            taken = steps.gather(-1, padded[:, 1:, None])[..., 0].double().cpu()
        scores = [Score(float(taken[i, : len(t) - 1].sum()), len(t) - 1) for i, t in enumerate(tails)]
        if not all(math.isfinite(score.log_likelihood) for score in scores):
            raise UserError(f"the model's scores are not finite in {self._dtype}: try --dtype float32")
        return scores

    def _decode(
        self, cache: Any, last: int, seeds: Sequence[int], temperature: float, most: int
    ) -> list[list[int]]:
        """Generate tokens, one a step for every row of the batch; rows that have ended leave it."""
        torch = self._torch
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        rows: list[list[int]] = [[] for _ in seeds]
        going = list(range(len(seeds)))
        tokens = torch.full((len(seeds), 1), last, device=self._device)
        for _ in range(most):
            reply = self._model(tokens, past_key_values=cache)
            logits = reply.logits[:, -1].float().cpu()  # [going, vocabulary]
            if temperature > 0:
                uniform = torch.stack(
                    [torch.rand(logits.shape[-1], generator=draws[i], dtype=torch.float64) for i in going]
                )
                logits = logits.double() / temperature - torch.log(-torch.log(uniform.clamp_min(1e-300)))
            picked = logits.argmax(dim=-1)
            for i, token in zip(going, picked.tolist(), strict=True):
                rows[i].append(token)
            kept = [k for k, i in enumerate(going) if rows[i][-1] not in self._end]
            if not kept:
                break
            if len(kept) < len(going):
                cache.batch_select_indices(torch.tensor(kept, device=self._device))
                going = [going[k] for k in kept]
            tokens = picked[kept, None].to(self._device)
        return rows

    def _shared(self, messages: Sequence[Message], ids: list[int]) -> tuple[int, Any]:
        """A copy of the cache of the conversation's beginning, and how many of `ids` it covers."""
        begun = self._encode(self._render(messages[:-1], ask=False)) if len(messages) > 1 else []
        shared = begun[: min(_common(begun, ids), len(ids) - 1)]
        if not shared:
            return 0, None
        if self._start[0] != shared:
            tokens = self._torch.tensor([shared], device=self._device)
            self._start = shared, self._model(tokens, use_cache=True, logits_to_keep=1).past_key_values
        return len(shared), copy.deepcopy(self._start[1])

    def _read(self, start: tuple[int, Any], ids: list[int]) -> Any:
        """Extend a cache to cover all of `ids`."""
        done, cache = start
        if done < len(ids):
            tokens = self._torch.tensor([ids[done:]], device=self._device)
            reply = self._model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = reply.past_key_values
        return cache

    def _render(self, messages: Sequence[Message], ask: bool = True) -> str:
        """The conversation as the model's chat template writes it; as plain text for a model without one."""
        tokenizer = self._tokenizer
        if not tokenizer.chat_template:
            heads = {"system": "", "user": "Question: ", "assistant": "Answer: "}
            text = "\n\n".join(heads[m["role"]] + m["content"] for m in messages)
            return f"{tokenizer.bos_token or ''}{text}\n\n" + ("Answer: " if ask else "")
        try:
            return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask))
        except Exception as error:  # whatever a template raises
            if messages[0]["role"] != "system" or len(messages) < 2:
                raise UserError(f"the model's chat template fails: {error}") from error
        first = {"role": "user", "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
        return self._render([first, *messages[2:]], ask)  # some templates know no system turn

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


@contextlib.contextmanager
def _told(work: str) -> Iterator[None]:
    """Tell in one line what goes wrong inside a model: no memory left, a cache that cannot be copied, ..."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever a model raises
        raise UserError(
            f"the model failed at {work}: {type(error).__name__}: {one_line(error)[:300]}: if memory ran "
            f"out, try a smaller --batch; nothing answered so far is lost, --resume continues"
        ) from error


def _versions() -> dict[str, str]:
    """Versions of what computes an answer.

    Raises:
        UserError: the extra is not installed.
    """
    import importlib.metadata as metadata
    import importlib.util

    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"the transformers backend needs {', '.join(missing)}: {how_to_install('llm')}")
    versions = {name: metadata.version(name) for name in ("torch", "transformers")}
    return {"python": platform.python_version(), **versions}


def _placement(torch: Any, settings: LocalSettings) -> tuple[Any, Any]:
    """Device and dtype, chosen or as told."""
    name = settings.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {settings.device} cannot be used: {error}") from error
    if settings.dtype == "auto":
        return device, torch.float32 if device.type == "cpu" else torch.bfloat16
    dtype = getattr(torch, settings.dtype, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise UserError(f"unknown --dtype {settings.dtype!r}: auto, float32, bfloat16 or float16")
    return device, dtype


def _load(transformers: Any, weights: Weights, device: Any, dtype: Any) -> tuple[Any, Any]:
    """Tokenizer and model; never runs code that comes with a model."""
    kwargs: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    if weights.gguf_file:
        kwargs["gguf_file"] = weights.gguf_file
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(weights.folder), **kwargs)
        model = transformers.AutoModelForCausalLM.from_pretrained(str(weights.folder), dtype=dtype, **kwargs)
        return tokenizer, model.to(device).train(False)
    except Exception as error:  # a damaged file can raise anything
        raise UserError(
            f"the model {weights.name} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer."""
    ends = model.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id) if token is not None)


def _after_thought(begun: str, prefill: str) -> str:
    """A prefill for a prompt that ends by beginning a thought: the prefill holds that thought, or none."""
    if not begun or prefill.startswith(begun):
        return prefill.removeprefix(begun)
    return f"{end_of(begun)}\n\n{prefill.lstrip()}"


def _common(one: list[int], other: list[int]) -> int:
    """Length of the common beginning of two token lists."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
