"""Tokenizers by name: texts become whole numbers and come back as texts."""

from ganglion.data.tokens.bpe import BPE
from ganglion.data.tokens.bytes import Bytes
from ganglion.data.tokens.characters import Characters
from ganglion.data.tokens.clean import checked_texts, read_texts
from ganglion.data.tokens.named import TOKENIZERS, tokenizer_from, tokenizer_named
from ganglion.data.tokens.splitting import join_words, split_words
from ganglion.data.tokens.tokenizer import BEGIN, END, PAD, SPECIALS, UNKNOWN, Tokenizer
from ganglion.data.tokens.words import Words

__all__ = [
    "BEGIN",
    "BPE",
    "END",
    "PAD",
    "SPECIALS",
    "TOKENIZERS",
    "UNKNOWN",
    "Bytes",
    "Characters",
    "Tokenizer",
    "Words",
    "checked_texts",
    "join_words",
    "read_texts",
    "split_words",
    "tokenizer_from",
    "tokenizer_named",
]
