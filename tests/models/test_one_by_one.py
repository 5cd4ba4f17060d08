"""The written-out step of a transformer that writes, against the step of its modules."""

import pytest
import torch

from ganglion.models.generate import generate
from ganglion.models.language import LanguageNet
from ganglion.models.one_by_one import ROOM, OneByOne


@pytest.fixture
def net():
    net = LanguageNet(11, units=16, heads=2, layers=3).eval()
    for p in net.parameters():  # the last layer starts at 0, and would hide mistakes
        torch.nn.init.normal_(p, std=0.3)
    return net


@pytest.mark.parametrize("begin", [1, 5])
def test_it_says_what_the_modules_say(net, begin):
    """Also where its memory is full and grows, for several texts at once."""
    codes = torch.randint(4, 11, (3, 2 * ROOM + 40), generator=torch.Generator().manual_seed(0))
    write = OneByOne(net)
    with torch.inference_mode():
        whole = net(codes)
        logits, state = write(codes[:, :begin], None)
        torch.testing.assert_close(logits, whole[:, :begin], rtol=0, atol=1e-5)
        for t in range(begin, codes.shape[1]):
            logits, state = write(codes[:, t : t + 1], state)
            torch.testing.assert_close(logits[:, 0], whole[:, t], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="one code"):
        write(codes[:, :2], state)


def test_texts_are_the_same(net):
    """Written with it, with the modules' cache and without any, also beyond the context."""
    prompt = torch.randint(4, 11, (2, 3), generator=torch.Generator().manual_seed(0))
    texts = [
        generate(
            ask, prompt, length=60, context=24, cached=cached, generator=torch.Generator().manual_seed(1)
        )
        for ask, cached in ((net.writing(), True), (net.step, True), (net.step, False))
    ]
    assert isinstance(net.writing(), OneByOne)
    assert torch.equal(texts[0], texts[1])
    assert torch.equal(texts[0], texts[2])


def test_others_keep_their_own_step(net):
    for other in (
        LanguageNet(9, units=8, heads=2, layers=1, positions="alibi").eval(),
        LanguageNet(9, units=8, cell="gru", layers=1).eval(),
        LanguageNet(9, units=8, heads=2, layers=1, causal=False).eval(),
        net.train(),
    ):
        assert other.writing() == other.step
