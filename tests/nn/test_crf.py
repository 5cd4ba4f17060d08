"""The conditional random field against the enumeration of every sequence of tags."""

import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from ganglion.base.errors import DataError, ParameterError
from ganglion.nn.crf import CRF, allowed_transitions

N, T, K = 6, 4, 3
MASK = torch.tensor(
    [[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1]], dtype=torch.bool
)  # the last two rows have their places elsewhere than in front
LOOPS = torch.tensor([[1, 1, 0, 1], [1, 1, 1, 0], [0, 1, 1, 1], [1, 1, 0, 0]], dtype=torch.bool)


def field(allowed=None, k=K):
    crf = CRF(k, allowed).double()
    for p in crf.parameters():
        torch.nn.init.normal_(p)
    return crf


@pytest.fixture
def emissions():
    return 2 * torch.randn(N, T, K, dtype=torch.float64)


@pytest.fixture
def tags():
    return torch.randint(0, K, (N, T)).masked_fill(~MASK, -1)


def score(pairs, starts, ends, rows, path):
    """The score of one path over a list of emissions, written out."""
    total = sum(e[tag] for e, tag in zip(rows, path)) + sum(pairs[a][b] for a, b in itertools.pairwise(path))
    return total + (starts[path[0]] + ends[path[-1]] if path else 0.0)


def everything(crf, emissions, mask):
    """For each sequence: the score of every path that may be."""
    tables = [p.detach().tolist() for p in (crf.transitions, crf.starts, crf.ends)]
    may = torch.ones(crf.k + 1, crf.k + 1) if crf.allowed is None else crf.allowed.clone()
    may[crf.k, crf.k] = 1
    for e, there in zip(emissions.detach(), mask):
        rows = e[there].tolist()
        paths = itertools.product(range(crf.k), repeat=len(rows))
        yield {
            path: score(*tables, rows, path)
            for path in paths
            if all(may[a, b] for a, b in itertools.pairwise((crf.k, *path, crf.k)))
        }


@pytest.mark.parametrize("allowed", [None, LOOPS], ids=["all pairs", "some pairs"])
class TestEnumeration:
    def test_partition(self, allowed, emissions):
        crf = field(allowed)
        found = crf.log_partition(emissions, MASK)
        for z, scores in zip(found.tolist(), everything(crf, emissions, MASK)):
            assert z == pytest.approx(math.log(math.fsum(map(math.exp, scores.values()))), abs=1e-10)

    def test_likelihood(self, allowed, emissions):
        """Of every sequence of tags there is; the forbidden ones have none."""
        crf = field(allowed)
        for path in itertools.product(range(K), repeat=T):
            tags = torch.tensor([path] * N)
            found = crf(emissions, tags.masked_fill(~MASK, -1), MASK).tolist()
            for value, row, there, scores in zip(found, tags, MASK, everything(crf, emissions, MASK)):
                z = math.log(math.fsum(map(math.exp, scores.values())))
                key = tuple(row[there].tolist())
                if key in scores:
                    assert value == pytest.approx(scores[key] - z, abs=1e-10)
                else:
                    assert value < -1e8

    def test_best_path(self, allowed, emissions):
        crf = field(allowed)
        found = crf.decode(emissions, MASK)
        assert torch.equal(found < 0, ~MASK)
        for path, there, scores in zip(found, MASK, everything(crf, emissions, MASK)):
            assert tuple(path[there].tolist()) == max(scores, key=scores.get)

    def test_marginals(self, allowed, emissions):
        crf = field(allowed)
        found = crf.marginals(emissions, MASK)
        assert found[~MASK].eq(0).all()
        for p, there, scores in zip(found, MASK, everything(crf, emissions, MASK)):
            z = math.fsum(map(math.exp, scores.values()))
            wanted = torch.zeros(int(there.sum()), K, dtype=torch.float64)
            for path, s in scores.items():
                for t, tag in enumerate(path):
                    wanted[t, tag] += math.exp(s) / z
            torch.testing.assert_close(p[there], wanted, rtol=0, atol=1e-12)

    def test_the_slope_of_the_partition_is_the_marginals(self, allowed, emissions):
        crf = field(allowed)
        emissions.requires_grad_()
        (slope,) = torch.autograd.grad(crf.log_partition(emissions, MASK).sum(), emissions)
        torch.testing.assert_close(slope, crf.marginals(emissions, MASK), rtol=0, atol=1e-12)

    def test_gradients(self, allowed, emissions, tags):
        crf = field(allowed)
        names = [name for name, _ in crf.named_parameters()]

        def likelihood(e, *parameters):
            return torch.func.functional_call(crf, dict(zip(names, parameters)), (e, tags, MASK))

        # tags that take forbidden steps have a likelihood near -1e9, too coarse for differences
        tags = torch.where(MASK, crf.decode(emissions, MASK), -1) if allowed is not None else tags
        inputs = [emissions.requires_grad_(), *crf.parameters()]
        assert torch.autograd.gradcheck(likelihood, inputs)


def test_a_new_field_is_a_softmax_at_each_place(emissions, tags):
    crf = CRF(K)
    each = F.cross_entropy(emissions.transpose(1, 2), tags, ignore_index=-1, reduction="none").sum(1)
    torch.testing.assert_close(crf(emissions, tags, MASK), -each)
    torch.testing.assert_close(crf.decode(emissions, MASK)[MASK], emissions.argmax(2)[MASK])


def test_nothing_is_learned_from_where_no_place_is(emissions, tags):
    crf = field()
    dirty = torch.where(MASK[..., None], emissions, torch.nan).requires_grad_()
    other = torch.where(MASK, tags, 99)
    crf(dirty, other, MASK).sum().backward()
    assert dirty.grad[~MASK].eq(0).all()
    assert all(p.grad.isfinite().all() for p in crf.parameters())
    assert torch.equal(crf(dirty, other, MASK), crf(emissions, tags, MASK))
    assert torch.equal(crf.decode(dirty, MASK), crf.decode(emissions, MASK))


def test_long_sequences_keep_their_digits_in_single_precision():
    crf, long = field(k=5), 1000
    emissions = 8 * torch.randn(2, long, 5)
    tags, mask = torch.randint(0, 5, (2, long)), torch.arange(long) < torch.tensor([[long], [long - 7]])
    likelihood, shares = crf(emissions.double(), tags, mask), crf.marginals(emissions.double(), mask)
    path = crf.decode(emissions.double(), mask)
    crf = crf.float()
    torch.testing.assert_close(crf(emissions, tags, mask).double(), likelihood, rtol=2e-6, atol=0)
    torch.testing.assert_close(crf.marginals(emissions, mask).double(), shares, rtol=0, atol=2e-5)
    assert (crf.decode(emissions, mask) == path).float().mean() > 0.999
    far = emissions + 1e4  # which changes no probability
    torch.testing.assert_close(crf.marginals(far, mask).double(), shares, rtol=0, atol=5e-3)
    assert (crf.decode(far, mask) == path).float().mean() > 0.99


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype, emissions, tags):
    crf, coarse = field(LOOPS).float(), emissions.to(dtype)
    found = crf.log_partition(coarse, MASK)
    assert found.dtype == torch.float32
    assert torch.equal(found, crf.log_partition(coarse.float(), MASK))
    with torch.autocast("cpu", dtype):
        assert torch.equal(crf(coarse, tags, MASK), crf(coarse.float(), tags, MASK))
    assert crf.to(dtype).log_partition(coarse, MASK).isfinite().all()


def test_it_computes_without_looking_at_a_value():
    """Tensors without values refuse every question of the host."""
    crf = CRF(K, LOOPS).to("meta")
    emissions, mask = torch.empty(N, T, K, device="meta"), torch.empty(N, T, dtype=torch.bool, device="meta")
    tags = torch.empty(N, T, dtype=torch.long, device="meta")
    assert crf(emissions, tags, mask).shape == (N,)
    assert crf.marginals(emissions, mask).shape == (N, T, K)
    assert crf.decode(emissions, mask).shape == (N, T)


@pytest.mark.parametrize(("n", "length"), [(0, 3), (2, 0), (0, 0)])
def test_no_sequences_and_no_places(n, length):
    crf, emissions, mask = CRF(2), torch.zeros(n, length, 2), torch.zeros(n, length, dtype=torch.bool)
    assert crf(emissions, torch.zeros(n, length, dtype=torch.long), mask).tolist() == [0.0] * n
    assert crf.log_partition(emissions, mask).tolist() == [0.0] * n
    assert crf.decode(emissions, mask).shape == (n, length)
    assert crf.marginals(emissions, mask).shape == (n, length, 2)


def test_bio_decodes_no_span_without_its_beginning():
    tags = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG"]
    mask = torch.ones(300, 6, dtype=torch.bool)
    emissions = 1e5 * torch.randn(300, 6, 5)  # stronger than any penalty that a network might learn
    found = CRF(5, allowed_transitions(tags)).decode(emissions, mask)
    free = CRF(5).decode(emissions, mask)

    def broken(rows):
        named = [["O", *(tags[i] for i in row)] for row in rows.tolist()]
        return sum(
            b[0] == "I" and a not in ("B" + b[1:], b) for row in named for a, b in itertools.pairwise(row)
        )

    assert broken(found) == 0
    assert broken(free) > 100


def test_iobes_pairs():
    tags = ["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "E-Y"]
    table = allowed_transitions(tags, "iobes")
    outer = {"O", "B-X", "S-X", "B-Y", None}  # None is the outside
    may = dict.fromkeys((None, "O", "E-X", "S-X", "E-Y"), outer)
    may |= {"B-X": {"I-X", "E-X"}, "I-X": {"I-X", "E-X"}, "B-Y": {"E-Y"}}
    for i, one in enumerate([*tags, None]):
        assert {tag for tag, yes in zip([*tags, None], table[i].tolist()) if yes} == may[one]


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda: CRF(0), "at least 1"), (lambda: CRF(2, torch.ones(2, 2, dtype=torch.bool)), "shape \\(3, 3\\)"),
     (lambda: CRF(2, torch.ones(3, 3)), "float32"), (lambda: allowed_transitions(["O"], "bilou"), "'bilou'"),
     (lambda: allowed_transitions(["O", "NOUN"]), "'NOUN'"), (lambda: allowed_transitions(["O", "Best"]), "'Best'"),
     (lambda: allowed_transitions(["E-X"]), "'E-X'"), (lambda: allowed_transitions(["O", ""]), "''"),
     (lambda: allowed_transitions(["O", "O"]), "twice")],
)  # fmt: skip
def test_wrong_parameters_are_refused(make, words):
    with pytest.raises(ParameterError, match=words):
        make()


@pytest.mark.parametrize(
    ("shape", "mask"),
    [((2, 4, 2), torch.ones(2, 4, dtype=torch.bool)), ((2, 4, 3), torch.ones(2, 3, dtype=torch.bool)),
     ((2, 4, 3), torch.ones(2, 4)), ((4, 3), torch.ones(4, dtype=torch.bool))],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused(shape, mask):
    with pytest.raises(DataError, match="are expected, got"):
        CRF(3).log_partition(torch.zeros(shape), mask)
