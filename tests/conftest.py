"""One thread for every test process: small networks gain nothing from more, and workers would fight."""

import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before torch and NumPy are imported; child processes inherit it
