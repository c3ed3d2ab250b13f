"""Roles and block indices, read from module paths.

One word per role in every architecture; an attention adapter gives the roles of its own products.
The first pattern that matches the end of a path decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from torch import nn

_ROLES: tuple[tuple[str, str], ...] = (
    (r"patch_embed\.|patch_embedding|(^|\.)stem(\.|$)|^embeds\.proj$", "patch_embed"),
    (r"(^|\.)(qkv|in_proj)$", "qkv"),
    (r"(^|\.)(q|query|q_proj|w_q)$", "query"),
    (r"(^|\.)(k|key|k_proj|w_k)$", "key"),
    (r"(^|\.)(v|value|v_proj|w_v)$", "value"),
    (r"(^|\.)(attn|attention|self_attn)\.(.*\.)?(proj|out_proj|output\.dense)$", "proj"),
    (r"(^|\.)(fc1|lin1|intermediate\.dense|ffn\.layers\.\d+\.0)$", "fc1"),
    (r"(^|\.)(fc2|lin2|output\.dense|ffn\.layers\.\d+)$", "fc2"),
    (r"(^|\.)pooler\.dense$", "pooler"),
    (r"downsample\.|(^|\.)reduction$", "downsample"),
    (r"(^|\.)(head|head_dist|fc|classifier)(\.\w+)*$", "head"),
    # The layers of a detector that make its predictions.
    (r"(^|\.)(rpn_cls|rpn_reg|fc_cls|fc_reg|conv_logits)$", "head"),
)
_WORD_EMBEDDING = r"(^|\.)(word_embeddings|embed_tokens|tok_embeddings|wte)$"


def role_of(path: str, module: nn.Module) -> str:
    """The role of the operation at ``path``; ``conv`` or ``linear`` where no pattern knows it.

    ``embedding`` is a look-up table (a linear layer named ``bbox_embed`` multiplies, and is none);
    ``word_embedding`` the one of a language model's vocabulary.
    """
    if isinstance(module, nn.Embedding):
        return "word_embedding" if re.search(_WORD_EMBEDDING, path) else "embedding"
    for pattern, role in _ROLES:
        if re.search(pattern, path):
            return role
    return "conv" if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) else "linear"


def block_prefix(path: str, attention_paths: Iterable[str]) -> str | None:
    """The repeated block that ``path`` lies in: the innermost numbered container around attention.

    Without attention inside (a ConvNet's block) it is the innermost numbered container; ``None``
    outside of any.
    """
    prefixes = [path[:match.end()] for match in re.finditer(r"(?<![a-z_])\d+(?=\.|$)|layer\d+(?=\.)", path)]
    with_attention = [prefix for prefix in prefixes
                      if any(other.startswith(prefix + ".") for other in attention_paths)]
    candidates = with_attention or prefixes
    return candidates[-1] if candidates else None
