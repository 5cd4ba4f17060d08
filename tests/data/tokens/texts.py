"""Texts that tokenizers must survive."""

ODD = [
    "",
    " ",
    "\x00",
    "a\x00b\x1f\x85\u2028c",
    "The cat's mat, 3.5 m² & 1,000 £.",
    "  two  blanks\t\n\n   and more   ",
    "cafe\u0301 naïve Ångström İstanbul ﬁ ß",
    "👩‍👩‍👧‍👦 👍🏽 ❤️ 🇩🇪 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "مرحبا بالعالم، كيف حالُك؟ می‌روم",
    "שָׁלוֹם עולם \u202ertl\u202c",
    "日本語のテキスト。中文，没有空格！ 한국어 ไทย हिन्दी में",
    "\ud800",
    "\ud83d\ude00 \udce9 \ude00\ud83d",
    "<pad> <unk> [CLS] <|endoftext|> \\n %s {0}",
    "_under__score_ --flag=x http://a.b/c?d=e#f a@b.cz",
    "\ufeff\ufffd\uffff\U0010ffff\u0000",
    "a" * 70 + "\u0301" * 70 + "-" * 70 + "7" * 70 + " " * 70,
    "e" + "\u0301" * 300,
    "'" * 9 + "don''t 'tis rock'n'roll dogs' ’s ’sound 's",
]
