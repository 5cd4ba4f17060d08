"""Multilayer perceptrons for tables: classes or numbers from raw rows."""

from ganglion.estimators.classes import ClassTarget
from ganglion.estimators.network import DenseNetwork
from ganglion.estimators.values import ValueTarget


class MLPClassifier(ClassTarget, DenseNetwork):
    """A multilayer perceptron that predicts classes, trained on raw tables.

    ``p(y | x) = softmax(W_L f(... f(W_1 x + b_1)) + b_L)``, cross-entropy loss, AdamW; see the family's page
    for the defaults' ablation. With ``loss="hinge"`` the outputs are margins, and with ``"focal"`` they are drawn
    towards the hard rows: their softmax ranks classes, but is no calibrated probability.

    >>> import numpy as np
    >>> X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]] * 25)
    >>> y = X[:, 0].astype(int) ^ X[:, 1].astype(int)
    >>> float(MLPClassifier(hidden_layer_sizes=(16,), max_epochs=60).fit(X, y).score(X, y))
    1.0
    """


class MLPRegressor(ValueTarget, DenseNetwork):
    """A multilayer perceptron that predicts one or several numbers, trained on raw tables.

    The targets are standardised inside, so a squared error of 1 is the level of predicting the mean, and the
    ``delta`` of ``"huber(delta)"`` counts standard deviations. What is predicted follows from the loss: the mean,
    with ``"absolute_error"`` the median, with ``"quantile(q)"`` the q-quantile, with ``"poisson"`` the rate of
    counts; ``"gaussian_nll"`` learns the noise of each row beside the mean (``predict(X, return_std=True)``).

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> MLPRegressor(max_epochs=60).fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.95
    True
    """
