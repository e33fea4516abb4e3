"""Wrong and partial answers to problem set 3, and the marks that they earn: what a fair teacher would give."""

WRONG = {
    "the transpose of the Jacobian, as a source of chapter 4 prints it": (
        {"ps3-jacobians": '''
def jacobians(W_hh, h):
    J = []
    for t in range(1, len(h)):
        slope = h[t] * (1 - h[t])
        J.append(W_hh.T * slope)
    return np.array(J)
'''},
        {"ps3-products-test": 3.5},
    ),
    "columns scaled instead of rows": (
        {"ps3-jacobians": '''
def jacobians(W_hh, h):
    return np.array([W_hh * (h_t * (1 - h_t)) for h_t in h[1:]])
'''},
        {"ps3-products-test": 3.5},
    ),
    "the slope of the step before": (
        {"ps3-jacobians": '''
def jacobians(W_hh, h):
    T = len(h) - 1
    return np.array([np.diag(h[t] * (1 - h[t])) @ W_hh for t in range(T)])
'''},
        {"ps3-products-test": 3.5},
    ),
    "the slope of tanh": (
        {"ps3-jacobians": '''
def jacobians(W_hh, h):
    return np.array([np.diag(1 - h[t] ** 2) @ W_hh for t in range(1, len(h))])
'''},
        {"ps3-products-test": 2.5},
    ),
    "the factors in the wrong order": (
        {"ps3-products": '''
def products(J):
    T, H, _ = J.shape
    P = np.zeros((T + 1, H, H))
    P[T] = np.eye(H)
    for k in range(T - 1, -1, -1):
        P[k] = J[k] @ P[k + 1]
    return P
'''},
        {"ps3-products-test": 4},
    ),
    "off by one in k": (
        {"ps3-products": '''
def products(J):
    T, H, _ = J.shape
    P = np.zeros((T + 1, H, H))
    P[T] = np.eye(H)
    for k in range(T - 1, -1, -1):
        P[k] = P[k + 1] @ J[k - 1]
    return P
'''},
        {"ps3-products-test": 3.5},
    ),
    "no identity at k = T": (
        {"ps3-products": '''
def products(J):
    P = [J[-1]]
    for J_t in J[-2::-1]:
        P.append(P[-1] @ J_t)
    return np.array(P[::-1])
'''},
        {"ps3-products-test": 4.5},
    ),
    "products by lag instead of by k": (
        {"ps3-products": '''
def products(J):
    P = [np.eye(J.shape[1])]
    for J_t in J[::-1]:
        P.append(P[-1] @ J_t)
    return np.array(P)
'''},
        {"ps3-products-test": 3},
    ),
    "the Frobenius norm in all of question 2": (
        {"ps3-norms": '''
def norms_by_lag(P):
    return np.array([np.linalg.norm(p) for p in P[::-1]])
''', "ps3-step-bounds": '''
def step_bounds(W_hh, slopes):
    bounds = [1.0]
    for s in slopes[::-1]:
        bounds.append(bounds[-1] * np.abs(s).max() * np.linalg.norm(W_hh))
    return np.array(bounds)
''', "ps3-verdict": '''
def verdict(W_hh, gamma):
    size = gamma * np.linalg.norm(W_hh)
    if abs(size - 1) <= 1e-5:
        return "cannot explode"
    elif size < 1:
        return "vanishes"
    return "undecided"
'''},
        {"ps3-verdict-test": 3},
    ),
    "norms by k instead of by lag": (
        {"ps3-norms": '''
def norms_by_lag(P):
    return np.array([np.linalg.norm(p, 2) for p in P])
'''},
        {"ps3-verdict-test": 4.5},
    ),
    "the spectral radius instead of sigma_max": (
        {"ps3-step-bounds": '''
def step_bounds(W_hh, slopes):
    rho = max(abs(np.linalg.eigvals(W_hh)))
    m = np.abs(slopes).max(axis=1)
    return np.append(1.0, np.cumprod(m[::-1] * rho))
''', "ps3-verdict": '''
def verdict(W_hh, gamma):
    rho = max(abs(np.linalg.eigvals(W_hh)))
    if abs(gamma * rho - 1) < 1e-5:
        return "cannot explode"
    return "vanishes" if gamma * rho < 1 else "undecided"
'''},
        {"ps3-verdict-test": 4},
    ),
    "bounds from the first step on, and no absolute value": (
        {"ps3-step-bounds": '''
def step_bounds(W_hh, slopes):
    m = slopes.max(axis=1)
    return np.append(1.0, np.cumprod(m * np.linalg.norm(W_hh, 2)))
'''},
        {"ps3-verdict-test": 4.5},
    ),
    "no 1 at lag 0": (
        {"ps3-step-bounds": '''
def step_bounds(W_hh, slopes):
    m = np.abs(slopes).max(axis=1)
    return np.cumprod(m[::-1] * np.linalg.norm(W_hh, 2))
'''},
        {"ps3-verdict-test": 4.5},
    ),
    "gamma forgotten": (
        {"ps3-verdict": '''
def verdict(W_hh, gamma):
    sigma = np.linalg.norm(W_hh, 2)
    if abs(sigma - 1) < 1e-5:
        return "cannot explode"
    return "vanishes" if sigma < 1 else "undecided"
'''},
        {"ps3-verdict-test": 4},
    ),
    "no border": (
        {"ps3-verdict": '''
def verdict(W_hh, gamma):
    factor = gamma * np.linalg.norm(W_hh, 2)
    if factor < 1:
        return "vanishes"
    if factor == 1:
        return "cannot explode"
    return "undecided"
'''},
        {"ps3-verdict-test": 4.5},
    ),
    "the state after a step in its term, for the state before": (
        {"ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    T, B, H = slopes.shape
    G = np.zeros((T, H, H))
    delta = do @ W_qh * slopes[T - 1]
    for j in range(T):
        G[j] = delta.T @ h[T - j]
        if j < T - 1:
            delta = delta @ W_hh * slopes[T - j - 2]
    return G
'''},
        {"ps3-share-test": 4.5},
    ),
    "the slope of the later step": (
        {"ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    T, B, H = slopes.shape
    G = np.zeros((T, H, H))
    delta = do @ W_qh * slopes[T - 1]
    for j in range(T):
        G[j] = delta.T @ h[T - j - 1]
        delta = delta @ W_hh * slopes[T - j - 1]
    return G
'''},
        {"ps3-share-test": 4},
    ),
    "no slope at the last step": (
        {"ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    T = len(slopes)
    G = []
    delta = do @ W_qh
    for t in range(T, 0, -1):
        G.append(np.einsum("bi,bj->ij", delta, h[t - 1]))
        delta = (delta @ W_hh) * slopes[t - 2]
    return np.array(G)
'''},
        {"ps3-share-test": 3.5},
    ),
    "back through W_hh and not its transpose": (
        {"ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    T = len(slopes)
    G = []
    delta = do @ W_qh * slopes[-1]
    for t in range(T, 0, -1):
        G.append(delta.T @ h[t - 1])
        delta = (delta @ W_hh.T) * slopes[t - 2]
    return np.array(G)
'''},
        {"ps3-share-test": 4},
    ),
    "the mean over the batch": (
        {"ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    T, B, H = slopes.shape
    G = np.zeros((T, H, H))
    delta = do @ W_qh * slopes[T - 1]
    for j in range(T):
        G[j] = delta.T @ h[T - j - 1] / B
        delta = delta @ W_hh * slopes[T - j - 2]
    return G
'''},
        {"ps3-share-test": 4.5},
    ),
    "the first sequence alone": (
        {"ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    G = []
    delta = W_qh.T @ do[0] * slopes[-1, 0]
    for t in range(len(slopes), 0, -1):
        G.append(np.outer(delta, h[t - 1, 0]))
        delta = W_hh.T @ delta * slopes[t - 2, 0]
    return np.array(G)
'''},
        {"ps3-share-test": 4.5},
    ),
    "terms by step instead of by lag": (
        {"ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    T, B, H = slopes.shape
    G = np.zeros((T, H, H))
    delta = do @ W_qh * slopes[T - 1]
    for t in range(T, 0, -1):
        G[t - 1] = delta.T @ h[t - 1]
        delta = delta @ W_hh * slopes[t - 2]
    return G
'''},
        {"ps3-share-test": 5},
    ),
    "the outer product turned round": (
        {"ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    T = len(slopes)
    G = []
    delta = do @ W_qh * slopes[-1]
    for t in range(T, 0, -1):
        G.append(h[t - 1].T @ delta)
        delta = (delta @ W_hh) * slopes[t - 2]
    return np.array(G)
'''},
        {"ps3-share-test": 3.5},
    ),
    "the share of the sum's norm": (
        {"ps3-share": '''
def share(terms):
    total = np.linalg.norm(terms.sum(axis=0))
    return np.array([np.linalg.norm(terms[:j + 1].sum(axis=0)) / total for j in range(len(terms))])


def reach(shares, part=0.9):
    for j, s in enumerate(shares):
        if s >= part:
            return j
'''},
        {"ps3-share-test": 5},
    ),
    "the 2-norm in the share, and more than the part asked for": (
        {"ps3-share": '''
def share(terms):
    lengths = np.linalg.norm(terms, 2, axis=(1, 2))
    return np.cumsum(lengths) / lengths.sum()


def reach(shares, part=0.9):
    return np.flatnonzero(shares > part)[0]
'''},
        {"ps3-share-test": 5},
    ),
    "the reach as a number of lags": (
        {"ps3-share": '''
def share(terms):
    lengths = np.linalg.norm(terms, axis=(1, 2))
    return np.cumsum(lengths) / lengths.sum()


def reach(shares, part=0.9):
    return int(np.sum(shares < part)) + 1
'''},
        {"ps3-share-test": 5},
    ),
    "only question 1": (
        {"ps3-norms": '''
def norms_by_lag(P):
    raise NotImplementedError
''', "ps3-step-bounds": '''
def step_bounds(W_hh, slopes):
    raise NotImplementedError
''', "ps3-verdict": '''
def verdict(W_hh, gamma):
    raise NotImplementedError
''', "ps3-lag-terms": '''
def lag_terms(W_hh, W_qh, slopes, h, do):
    raise NotImplementedError
''', "ps3-share": '''
def share(terms):
    raise NotImplementedError


def reach(shares, part=0.9):
    raise NotImplementedError
'''},
        {"ps3-verdict-test": 0, "ps3-share-test": 0},
    ),
    "only the first function of each question": (
        {"ps3-products": '''
def products(J):
    pass
''', "ps3-step-bounds": '''
def step_bounds(W_hh, slopes):
    pass
''', "ps3-verdict": '''
def verdict(W_hh, gamma):
    pass
''', "ps3-share": '''
def share(terms):
    pass
'''},
        {"ps3-products-test": 2.5, "ps3-verdict-test": 1.5, "ps3-share-test": 3.5},
    ),
}
