"""Draws from logits: frequencies against softmax, filters by hand."""

import math

import pytest
import torch
from scipy.stats import chi2

from ganglion.base.errors import DataError, ParameterError
from ganglion.nn.samplers import choose, gumbel_softmax, straight_through

LOGITS = torch.tensor([0.5, -1.0, 2.0, 0.0, -3.0])
P = torch.tensor([0.5, 0.25, 0.15, 0.06, 0.04], dtype=torch.float64)
MIXED = [3, 0, 4, 1, 2]  # so that the order of probabilities is not that of the categories


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def surprise(drawn, p):
    """The p-value of Pearson's test that the draws come from p; what has no chance must not come."""
    p = torch.as_tensor(p, dtype=torch.float64)
    counts = torch.bincount(drawn, minlength=len(p)).double()
    assert counts[p == 0].eq(0).all()
    wanted, counts = (p * len(drawn))[p > 0], counts[p > 0]
    return chi2.sf(float(((counts - wanted) ** 2 / wanted).sum()), max(len(wanted) - 1, 1))


class TestGumbelSoftmax:
    @pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0, 10.0])
    def test_the_largest_entry_is_a_draw_at_every_temperature(self, temperature):
        draws = gumbel_softmax(LOGITS.expand(100_000, 5), temperature, generator=seeded())
        torch.testing.assert_close(draws.sum(1), torch.ones(100_000))
        assert surprise(draws.argmax(1), LOGITS.double().softmax(0)) > 0.01

    def test_the_relaxed_density(self):
        """For two categories logit(y) = (l_0 - l_1 + logistic noise) / temperature (Maddison et al. 2017)."""
        y = gumbel_softmax(torch.tensor([0.7, 0.0]).double().expand(50_000, 2), 0.8, generator=seeded())[:, 0]
        for at in (0.1, 0.4, 0.6, 0.9):
            below = torch.sigmoid(torch.tensor(0.8 * math.log(at / (1 - at)) - 0.7)).item()
            assert (y < at).double().mean().item() == pytest.approx(
                below, abs=4 * math.sqrt(below * (1 - below) / 50_000)
            )

    def test_low_temperatures_are_nearly_one_hot(self):
        draws = gumbel_softmax(LOGITS.expand(20_000, 5), 0.01, generator=seeded())
        assert (draws.amax(1) > 0.99).double().mean() >= 0.95
        assert (gumbel_softmax(LOGITS.expand(20_000, 5), 10.0, generator=seeded()).amax(1) < 0.6).all()

    def test_hard_draws_are_exact_with_the_gradient_of_the_soft_ones(self):
        weights = torch.randn(1000, 5)
        slopes = []
        for hard in (False, True):
            logits = LOGITS.repeat(1000, 1).requires_grad_()
            draws = gumbel_softmax(logits, 0.3, hard, generator=seeded())
            (draws * weights).sum().backward()
            slopes.append(logits.grad)
        assert torch.equal(draws.sort(1).values, torch.tensor([0.0, 0, 0, 0, 1]).expand(1000, 5))
        assert torch.equal(*slopes)
        assert slopes[0].isfinite().all()
        assert slopes[0].abs().sum() > 0

    def test_the_gradient_is_that_of_the_formula(self):
        logits = LOGITS.double()[None].requires_grad_()
        assert torch.autograd.gradcheck(lambda z: gumbel_softmax(z, 0.7, generator=seeded()), (logits,))

    def test_impossible_categories_and_half_precision(self):
        logits = torch.tensor([1.0, -torch.inf, 2.0]).expand(5000, 3).clone().requires_grad_()
        draws = gumbel_softmax(logits, 1e-6, generator=seeded())
        draws[:, 0].sum().backward()
        assert draws[:, 1].eq(0).all()
        assert logits.grad.isfinite().all()
        half = gumbel_softmax(logits.detach().half(), 0.5, generator=seeded())
        assert half.dtype == torch.float16
        assert half.isfinite().all()

    def test_only_the_given_generator_moves(self):
        torch.manual_seed(3)
        before = torch.get_rng_state()
        one, two = (gumbel_softmax(LOGITS, generator=seeded(5)) for _ in range(2))
        assert torch.equal(one, two)
        choose(LOGITS[None], generator=seeded())
        assert torch.equal(before, torch.get_rng_state())

    @pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf, "1", True])
    def test_wrong_temperatures(self, temperature):
        with pytest.raises(ParameterError, match="above 0"):
            gumbel_softmax(LOGITS, temperature)


def test_straight_through_is_exact_where_rounding_would_show():
    soft = torch.rand(2000, 3, generator=seeded()).softmax(1)
    values = straight_through(soft)
    assert set(values.flatten().tolist()) == {0.0, 1.0}
    assert torch.equal(values.argmax(1), soft.argmax(1))
    assert straight_through(torch.tensor([0.5, 0.5])).tolist() == [1.0, 0.0]


class TestChoose:
    @pytest.mark.parametrize(
        ("settings", "kept"),
        [({}, P), ({"temperature": 0.5}, P**2), ({"temperature": 2.0}, P**0.5), ({"top_k": 2}, [0.5, 0.25, 0, 0, 0]),
         ({"top_k": 9}, P), ({"top_p": 0.7}, [0.5, 0.25, 0, 0, 0]), ({"top_p": 0.8}, [0.5, 0.25, 0.15, 0, 0]),
         ({"top_p": 0.001}, [1, 0, 0, 0, 0]), ({"top_p": 1.0}, P),
         # of three 0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9: 0.556 + 0.278 reach 0.8, which they do not without the division
         ({"top_k": 3, "top_p": 0.8}, [0.5, 0.25, 0, 0, 0]),
         # the temperature comes first: P^2 is 0.73, 0.18, ..., so that one category has 0.7
         ({"temperature": 0.5, "top_p": 0.7}, [1, 0, 0, 0, 0])],
    )  # fmt: skip
    def test_frequencies(self, settings, kept):
        kept = torch.as_tensor(kept, dtype=torch.float64)[MIXED]
        drawn = choose(P[MIXED].log().float().expand(20_000, 5), generator=seeded(1), **settings)
        assert drawn.dtype == torch.int64
        assert surprise(drawn, kept / kept.sum()) > 0.01

    def test_the_test_of_frequencies_sees_a_small_difference(self):
        drawn = choose((P + 0.01).log().expand(20_000, 5), generator=seeded())
        assert surprise(drawn, P) < 1e-4

    def test_rows_have_their_own_chances(self):
        logits = torch.full((3, 4), -torch.inf)
        logits[0, 2] = logits[1, 0] = logits[2, 3] = 5.0
        for settings in ({}, {"top_k": 1}, {"top_p": 0.1}, {"temperature": 0}, {"temperature": 1e-29}):
            assert choose(logits, **settings).tolist() == [2, 0, 3]

    def test_greedy(self):
        logits = torch.randn(50, 7)
        for settings in ({"temperature": 0}, {"temperature": 0.0, "top_k": 5, "top_p": 0.9}, {"top_k": 1}):
            assert torch.equal(choose(logits, **settings), logits.argmax(1))
        assert torch.equal(
            choose(1e12 * logits, temperature=1e-29), logits.argmax(1)
        )  # beyond single precision

    def test_of_equal_ones_the_first_are_kept(self):
        drawn = choose(torch.zeros(500, 6), top_k=2, generator=seeded())
        assert set(drawn.tolist()) == {0, 1}

    def test_no_rows(self):
        assert choose(torch.zeros(0, 3)).shape == (0,)

    @pytest.mark.parametrize(
        ("settings", "words"),
        [({"temperature": -0.1}, "temperature must be a number at least 0"), ({"temperature": math.nan}, "at least 0"),
         ({"top_k": 0}, "top_k must be a whole number at least 1"), ({"top_k": 1.5}, "whole"),
         ({"top_p": 0.0}, "above 0"), ({"top_p": 1.1}, "top_p must be a number above 0 and at most 1"),
         ({"top_p": -1}, "above 0")],
    )  # fmt: skip
    def test_wrong_numbers(self, settings, words):
        with pytest.raises(ParameterError, match=words):
            choose(LOGITS[None], **settings)

    @pytest.mark.parametrize(
        "logits",
        [LOGITS, torch.zeros(2, 0), torch.zeros(2, 3, dtype=torch.long), torch.tensor([[1.0, math.nan]]),
         torch.full((1, 2), -math.inf), torch.tensor([[0.0, math.inf]])],
    )  # fmt: skip
    @pytest.mark.parametrize("temperature", [0, 1.0])
    def test_wrong_logits(self, logits, temperature):
        with pytest.raises(DataError, match="logits"):
            choose(logits, temperature=temperature)
