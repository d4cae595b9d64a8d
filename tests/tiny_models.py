"""Small models with random weights and the architecture of large ones, made where tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# By role, in the order of their numbers in the vocabulary of XLM-RoBERTa.
MARKS = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
HEADS = 8


def xlm_roberta(folder: Path, texts: Iterable[str], dimension: int) -> Path:
    """A two-layer XLM-RoBERTa, as multilingual-e5 is one of twelve, with a tokenizer of ``texts``.

    Like a snapshot of bare weights it has no ``modules.json``.
    """
    tokenizer = _unigram(texts)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(5)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=dimension,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        intermediate_size=dimension,
        max_position_embeddings=514,
        type_vocab_size=1,
        # Larger than in training, so that the layers do more than pass words on.
        initializer_range=0.1,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def _unigram(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=2000,
        special_tokens=list(MARKS.values()),
        unk_token=MARKS["unk"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    roles = {**MARKS, "cls": MARKS["bos"], "sep": MARKS["eos"]}
    named = {f"{role}_token": mark for role, mark in roles.items()}
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # of transformers
        tokenizer_object=tokenizer, model_max_length=512, **named
    )
