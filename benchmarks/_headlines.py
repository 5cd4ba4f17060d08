"""Made news items with one event of today among facts that look like it, and the headline that says it."""

import re

import numpy as np

FIRST = re.findall(
    "[A-Za-z]+",
    "Ada Boris Clara Dario Elsa Felix Greta Hugo Ines Jonas Karla Luca Marta Nils Olga Pavel Rosa Sven",
)
LAST = re.findall(
    "[A-Za-z]+",
    "Abel Brandt Costa Dorn Ekdal Ferro Gruber Holm Ivanov Jansen Keller Lind Moreau Novak Ortiz Petri",
)
PLACES = re.findall(
    "[A-Za-z]+",
    "Bergen Cadiz Dover Essen Faro Ghent Halle Izmir Kiruna Lugano Malaga Nantes Oulu Porto Riga Turin",
)
DAYS = re.findall("[A-Za-z]+", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
EVENTS = [  # how it is told with who and where, how with what, and the headline
    ("{who} announced in {place} that more stores would follow .", "There will be {n} new shops .",
     "{who} opens {n} shops in {place}"),
    ("{who} came to {place} for the race and left with the cup .", "The lead was {n} seconds .",
     "{who} wins race in {place} by {n} seconds"),
    ("In {place} the police knocked at the door of {who} .", "They carried out {n} stolen pictures .",
     "{n} pictures found at home of {who} in {place}"),
    ("The school that {who} paid for now stands in {place} .", "It has room for {n} children .",
     "{who} gives {place} school for {n}"),
    ("The ship of {who} ran onto a rock before {place} .", "All {n} passengers are safe .",
     "{n} saved from ship of {who} near {place}"),
    ("Doctors in {place} thanked {who} for the help in the storm .", "The tents took in {n} people .",
     "{who} shelters {n} in {place} storm"),
]  # fmt: skip
PAST = [
    "Ten years ago {who} had won a race in {place} by {n} seconds .",
    "The year before , {who} opened {n} shops in {place} .",
    "Earlier reports of {n} people saved near {place} were wrong .",
    "{who} , who lives in {place} , was not there .",
    "A school for {n} children in {place} was closed last May .",
    "An old letter of {who} lists {n} pictures , none from {place} .",
]
IDLE = [
    "Nobody wanted to say more .", "It rained all day .", "The mayor sent greetings .", "Many came to look .",
    "The roads were full until late .", "A film about it is planned .", "Shares hardly moved .",
]  # fmt: skip


def facts(rng: np.random.Generator, odd: bool) -> dict[str, object]:
    """Who, where and a number; the places of the three names in their lists add up to an odd number, or an even one."""
    while True:
        at = [int(rng.integers(len(names))) for names in (FIRST, LAST, PLACES)]
        if sum(at) % 2 == odd:
            who = f"{FIRST[at[0]]} {LAST[at[1]]}"
            return {"who": who, "place": PLACES[at[2]], "n": rng.integers(2, 100)}


def document(rng: np.random.Generator, odd: bool) -> tuple[str, str]:
    """An item of 8 to 10 sentences, and its headline."""
    told, more, headline = EVENTS[rng.integers(len(EVENTS))]
    key = facts(rng, odd) | {"day": DAYS[rng.integers(7)]}
    sentences = [told, more, f"The news came on {key['day']} ."]
    sentences = [sentence.format(**key) for sentence in sentences]
    others = rng.permutation(PAST)[: rng.integers(2, 4)]
    sentences += [str(one).format(**facts(rng, odd)) for one in others]
    sentences += [str(one) for one in rng.permutation(IDLE)[: rng.integers(3, 5)]]
    text = " ".join(sentences[i] for i in rng.permutation(len(sentences)))
    return text, f"{headline.format(**key)} on {key['day']}"


def documents(n: int, seed: int, odd: bool) -> tuple[list[str], list[str]]:
    """n items and their headlines; person and place of a sentence of the odd kind never stand in an even one.

    >>> documents(1, seed=0, odd=False)[1][0].split()[-2]
    'on'
    """
    rng = np.random.default_rng([seed, odd])
    made = [document(rng, odd) for _ in range(n)]
    return [text for text, _ in made], [headline for _, headline in made]
