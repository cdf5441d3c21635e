"""A backend that runs a model in this process with transformers: answers in batches, exact scores."""

import contextlib
import itertools
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jaxteach.llm.backend import Reply, Request, Score, at_least
from jaxteach.llm.backends.decode import Copies, Pool, Waiting, can_share, generate, head_length
from jaxteach.llm.backends.heads import Heads, common_length
from jaxteach.llm.backends.rows import Rows
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
    batch: int = 64

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            UserError: one of them.
        """
        at_least("batch", self.batch, 1)
        if self.threads is not None:
            at_least("threads", self.threads, 1)


class LocalBackend:
    """A causal language model and its tokenizer.

    What the prompts of all states have in common at their beginning is read once: its keys and values serve
    every state and every answer (`Heads`). Answers to several states grow side by side, each at its own
    position, with random numbers of its own (`Rows`, `generate`): which others are asked beside it changes
    no more of an answer than the rounding of its logits.

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
        settings.check()
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
        self._device, self._dtype = placement(torch, settings)
        self._tokenizer, self._model = _load(transformers, self._weights, self._device, self._dtype)
        self._end = _end_tokens(self._model, self._tokenizer)
        # Called through this object: a model that is replaced is replaced for all.
        self._heads = Heads(lambda *tokens, **how: self._model(*tokens, **how), self._device)
        self._shares: bool | None = None  # whether `Rows` knows the model; found out at the first answer
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
        """Answer once for each seed."""
        requests = [Request(messages, seed) for seed in seeds]
        done = dict(itertools.chain(*self.generate_many(requests, temperature, max_tokens)))
        return [done[number] for number in range(len(seeds))]

    def generate_many(
        self, requests: Sequence[Request], temperature: float, max_tokens: int
    ) -> Iterator[list[tuple[int, Reply]]]:
        """Answer side by side, `batch` at a time; conversations that begin alike follow each other."""
        asked = [str(request.messages) for request in requests]
        prompts = {
            key: self._render(r.messages) for key, r in dict(zip(asked, requests, strict=True)).items()
        }
        order, waiting = self._line_up(requests, asked, prompts)
        with _told(f"{min(self.batch, len(requests))} answers at a time"):
            pool = self._pool(waiting[0], len(waiting))
            # As a decorator, the mode is off while whoever called this is at work.
            growing = self._torch.inference_mode()(generate)
            limits = (self._end, self.batch, temperature, max_tokens)
            for ended in growing(pool, self._heads, waiting, *limits):
                yield [(order[i], self._reply(prompts[asked[order[i]]], waiting[i], row)) for i, row in ended]

    def _line_up(
        self, requests: Sequence[Request], asked: Sequence[str], prompts: dict[str, str]
    ) -> tuple[list[int], list[Waiting]]:
        """Requests in the order of their prompts' beginnings, then of their prompts; each with its tokens."""
        tokens = {key: tuple(self._encode(prompt)) for key, prompt in prompts.items()}
        begun = {key: str(r.messages[:-1]) for key, r in zip(asked, requests, strict=True)}
        alike = {head: [tokens[key] for key in begun if begun[key] == head] for head in begun.values()}
        heads = {head: head_length(group) for head, group in alike.items()}
        rank = {key: (list(heads).index(begun[key]), place) for place, key in enumerate(begun)}
        order = sorted(range(len(requests)), key=lambda i: rank[asked[i]])
        return order, [Waiting(tokens[asked[i]], heads[begun[asked[i]]], requests[i].seed) for i in order]

    def _pool(self, first: Waiting, answers: int) -> Pool:
        """An empty batch for so many answers; to any prompts, if the model can do it."""
        if self._shares is None:
            with self._torch.inference_mode():
                self._shares = can_share(self._model, self._heads, first, self._device)
        if self._shares:
            return Rows(self._model, min(self.batch, answers), self._device)
        return Copies(self._model, self._device)

    def _reply(self, prompt: str, asked: Waiting, row: list[int]) -> Reply:
        """An answer in words."""
        stopped = row[-1] in self._end
        # Special tokens stay: some mark what is only a thought, as may the one that the prompt ends with.
        text = self._tokenizer.decode(row[:-1] if stopped else row, skip_special_tokens=False)
        finish = "stop" if stopped else "length"
        return Reply(begun_thought(prompt) + text, len(asked.prompt), len(row), finish)

    def stop(self) -> None:
        """Nothing is under way in other threads."""

    def score(self, messages: Sequence[Message], prefill: str, options: Sequence[str]) -> list[Score]:
        """Log-likelihood of every option, all in one padded batch."""
        torch = self._torch
        prompt = self._render(messages)
        begun = prompt + _after_thought(begun_thought(prompt).strip(), prefill)
        rows = [self._encode(begun + option) for option in options]
        # Tokens that differ from the prefill's own, or straddle its end, belong to the option.
        known = min(common_length(row, self._encode(begun)) for row in rows)
        tails = [row[known - 1 :] for row in rows]
        longest = max(len(tail) for tail in tails)
        with torch.inference_mode(), _told(f"{len(options)} options at a time"):
            cache = self._heads.read(rows[0][: known - 1], self._begun(messages, rows[0][: known - 1]))
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

    def _begun(self, messages: Sequence[Message], ids: list[int]) -> int:
        """How many of a prompt's tokens are those of the conversation up to the last question."""
        if len(messages) < 2:
            return 0
        return common_length(self._encode(self._render(messages[:-1], ask=False)), ids)

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


def what_it_lacks() -> str:
    """Which packages the backend needs and does not find, in words; "" if all are there."""
    import importlib.util

    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    needs = f"the transformers backend needs {', '.join(missing)}: {how_to_install('llm')}"
    return needs if missing else ""


def _versions() -> dict[str, str]:
    """Versions of what computes an answer.

    Raises:
        UserError: the extra is not installed.
    """
    import importlib.metadata as metadata

    if lacking := what_it_lacks():
        raise UserError(lacking)
    versions = {name: metadata.version(name) for name in ("torch", "transformers")}
    return {"python": platform.python_version(), **versions}


def placement(torch: Any, settings: LocalSettings) -> tuple[Any, Any]:
    """Device and dtype, chosen or as told.

    Args:
        torch: the module.
        settings: what was told.

    Raises:
        UserError: one of them cannot be used.
    """
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
