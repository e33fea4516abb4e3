"""Wrong and partial answers to problem set 3 and their marks, written as `problem_sets.wrong_answers` says."""

WRONG = {
    "the transpose of the Jacobian, as a source of chapter 4 prints it": (
        {"ps3-jacobians": {"slopes[:, :, None] * W_hh": "slopes[:, None] * W_hh.T"}},
        {"ps3-products-test": 4},
    ),
    "columns scaled instead of rows": (
        {"ps3-jacobians": {"slopes[:, :, None]": "slopes[:, None]"}},
        {"ps3-products-test": 4},
    ),
    "the slope of the step before": (
        {"ps3-jacobians": {"h[1:] * (1 - h[1:])": "h[:-1] * (1 - h[:-1])"}},
        {"ps3-products-test": 4.5},
    ),
    "the slope of tanh": (
        {"ps3-jacobians": {"h[1:] * (1 - h[1:])": "1 - h[1:] ** 2"}},
        {"ps3-products-test": 4},
    ),
    "forgets a factor of the slope": (
        {"ps3-jacobians": {"h[1:] * (1 - h[1:])": "h[1:]"}},
        {"ps3-products-test": 4},
    ),
    "forgets the other factor of the slope": (
        {"ps3-jacobians": {"h[1:] * (1 - h[1:])": "1 - h[1:]"}},
        {"ps3-products-test": 4},
    ),
    "the factors in the wrong order": (
        {"ps3-products": {"result[k + 1] @ J[k]": "J[k] @ result[k + 1]"}},
        {"ps3-products-test": 4.5},
    ),
    "off by one in k": (
        {"ps3-products": {"@ J[k]": "@ J[k - 1]"}},
        {"ps3-products-test": 4.5},
    ),
    "no identity at k = T": (
        {"ps3-products": {"return result": "return result[:T]"}},
        {"ps3-products-test": 4.5},
    ),
    "products by lag instead of by k": (
        {"ps3-products": {"return result": "return result[::-1]"}},
        {"ps3-products-test": 4.5},
    ),
    "the Frobenius norm in all of question 2": (
        {"ps3-norms": {"P[::-1], 2,": "P[::-1],"},
         "ps3-step-bounds": {"W_hh, 2)": "W_hh)"},
         "ps3-verdict": {"W_hh, 2)": "W_hh)"}},
        {"ps3-verdict-test": 4},
    ),
    "norms by k instead of by lag": (
        {"ps3-norms": {"P[::-1]": "P"}},
        {"ps3-verdict-test": 4.5},
    ),
    "the spectral radius instead of sigma_max": (
        {f"ps3-{cell}": {"np.linalg.norm(W_hh, 2)": "max(abs(np.linalg.eigvals(W_hh)))"} for cell in ("step-bounds", "verdict")},
        {"ps3-verdict-test": 4},
    ),
    "bounds from the first step on, and no absolute value": (
        {"ps3-step-bounds": {"np.abs(slopes)": "slopes", "factors[::-1]": "factors"}},
        {"ps3-verdict-test": 4.5},
    ),
    "no 1 at lag 0": (
        {"ps3-step-bounds": {"[1.0], ": ""}},
        {"ps3-verdict-test": 4.5},
    ),
    "gamma forgotten": (
        {"ps3-verdict": {"gamma * ": ""}},
        {"ps3-verdict-test": 4.5},
    ),
    "no border": (
        {"ps3-verdict": {"abs(factor - 1) < 1e-5": "factor == 1"}},
        {"ps3-verdict-test": 4.5},
    ),
    "the term of the last step alone, and zeros": (
        {"ps3-lag-terms": {"return np.stack(terms)": "return np.stack([terms[0]] + [0 * terms[0]] * (len(terms) - 1))"}},
        {"ps3-share-test": 4},
    ),
    "one lag too few": (
        {"ps3-lag-terms": {"range(len(slopes), 0, -1)": "range(len(slopes), 1, -1)"}},
        {"ps3-share-test": 5.5},
    ),
    "the state after a step in its term, for the state before": (
        {"ps3-lag-terms": {"h[t - 1]": "h[t]"}},
        {"ps3-share-test": 5.5},
    ),
    "the slope of the later step": (
        {"ps3-lag-terms": {"slopes[t - 2]": "slopes[t - 1]"}},
        {"ps3-share-test": 5.5},
    ),
    "no slope at the last step": (
        {"ps3-lag-terms": {" * slopes[-1]": ""}},
        {"ps3-share-test": 5.5},
    ),
    "back through W_hh and not its transpose": (
        {"ps3-lag-terms": {"delta @ W_hh": "delta @ W_hh.T"}},
        {"ps3-share-test": 5.5},
    ),
    "the mean over the batch": (
        {"ps3-lag-terms": {"h[t - 1]": "h[t - 1] / len(do)"}},
        {"ps3-share-test": 5.5},
    ),
    "the first sequence alone": (
        {"ps3-lag-terms": {"delta.T @ h[t - 1]": "np.outer(delta[0], h[t - 1, 0])"}},
        {"ps3-share-test": 5.5},
    ),
    "terms by step instead of by lag": (
        {"ps3-lag-terms": {"np.stack(terms)": "np.stack(terms[::-1])"}},
        {"ps3-share-test": 5.5},
    ),
    "the outer product turned round": (
        {"ps3-lag-terms": {"delta.T @ h[t - 1]": "h[t - 1].T @ delta"}},
        {"ps3-share-test": 5.5},
    ),
    "the share of the sum's norm": (
        {"ps3-share": {
            "terms**2": "np.cumsum(terms, axis=0) ** 2",
            "np.cumsum(lengths) / np.sum(lengths)": "lengths / lengths[-1]",
        }},
        {"ps3-share-test": 5},
    ),
    "the 2-norm in the share, and more than the part asked for": (
        {"ps3-share": {
            "np.sqrt(np.sum(terms**2, axis=(1, 2)))": "np.linalg.norm(terms, 2, axis=(1, 2))",
            "shares >= part)": "shares > part)",
        }},
        {"ps3-share-test": 5},
    ),
    "the reach as a number of lags": (
        {"ps3-share": {"np.argmax(shares >= part))": "np.argmax(shares >= part)) + 1"}},
        {"ps3-share-test": 5.5},
    ),
    "only question 1": (
        dict.fromkeys(["ps3-norms", "ps3-step-bounds", "ps3-verdict", "ps3-lag-terms", "ps3-share"]),
        {"ps3-verdict-test": 0, "ps3-share-test": 0},
    ),
    "only the first function of each question": (
        {"ps3-products": "def products(J): pass", "ps3-step-bounds": "def step_bounds(W_hh, slopes): pass",
         "ps3-verdict": "def verdict(W_hh, gamma): pass", "ps3-share": "def share(terms): pass"},
        {"ps3-products-test": 2.5, "ps3-verdict-test": 1.5, "ps3-share-test": 3.5},
    ),
    "no slopes at all: W_hh, handed back": (
        {"ps3-jacobians": {"slopes[:, :, None] * W_hh": "np.ones_like(slopes)[:, :, None] * W_hh"}},
        {"ps3-products-test": 2.5},
    ),
    "the slope before W_hh, not after it": (
        {"ps3-lag-terms": {"delta @ W_hh * slopes[t - 2]": "(delta * slopes[t - 2]) @ W_hh"}},
        {"ps3-share-test": 5.5},
    ),
    "forgets W_hh on the way back": (
        {"ps3-lag-terms": {"delta @ W_hh * slopes": "delta * slopes"}},
        {"ps3-share-test": 5.5},
    ),
    "shares that are not divided": (
        {"ps3-share": {" / np.sum(lengths)": ""}},
        {"ps3-share-test": 5.5},
    ),
    # Each step seems right, and the whole is not.
    "the slopes of the first step off the diagonal": (
        {"ps3-jacobians": {'return slopes[:, :, None] * W_hh': 'return slopes[:, :, None] * np.diag(np.diag(W_hh)) + slopes[:1, :, None] * (W_hh - np.diag(np.diag(W_hh)))'}},
        {"ps3-products-test": 4.5},
    ),
    "lag terms without W_hh, sorted by step": (
        {"ps3-lag-terms": {"delta @ W_hh * slopes": "delta * slopes", "np.stack(terms)": "np.stack(terms[::-1])"}},
        {"ps3-share-test": 5},
    ),
    "forgets lag 0": (
        {"ps3-lag-terms": {"return np.stack(terms)": "return np.stack(terms[1:])"}},
        {"ps3-share-test": 5},
    ),
    "norms in descending order": (
        {"ps3-norms": {'np.linalg.norm(P[::-1], 2, axis=(1, 2))': 'np.sort(np.linalg.norm(P[::-1], 2, axis=(1, 2)))[::-1] if np.linalg.matrix_rank(P[0]) > 1 else np.linalg.norm(P[::-1], 2, axis=(1, 2))'}},
        {"ps3-verdict-test": 4.5},
    ),
    "the square of the norm where slopes differ": (
        {"ps3-step-bounds": {'* np.linalg.norm(W_hh, 2)': '* np.linalg.norm(W_hh, 2) ** (1 if np.ptp(slopes) == 0 else 2)'}},
        {"ps3-verdict-test": 4.5},
    ),
    # One mistake, on which much rests.
    "the last Jacobian where the identity belongs": (
        {"ps3-products": {'result[T] = np.eye(H)': 'result[T] = J[-1]'}},
        {"ps3-products-test": 4.5},
    ),
    "a matrix of ones where the identity belongs": (
        {"ps3-products": {'result[T] = np.eye(H)': 'result[T] = 1'}},
        {"ps3-products-test": 4.5},
    ),
    "one factor too few, the first": (
        {"ps3-products": {"result[T] = np.eye(H)": "result[T] = result[T - 1] = np.eye(H)", "range(T - 1, -1, -1)": "range(T - 2, -1, -1)", "@ J[k]": "@ J[k + 1]"}},
        {"ps3-products-test": 4.5},
    ),
    "one factor too few, the last": (
        {"ps3-products": {"result[T] = np.eye(H)": "result[T] = result[T - 1] = np.eye(H)", "range(T - 1, -1, -1)": "range(T - 2, -1, -1)"}},
        {"ps3-products-test": 4.5},
    ),
    "one factor too many": (
        {"ps3-products": """
def products(J):
    T, H, _ = J.shape
    result = []
    for k in range(T + 1):
        M = np.eye(H)
        for t in range(max(k - 1, 0), T):
            M = J[t] @ M
        result.append(M)
    return np.array(result)
"""},
        {"ps3-products-test": 4.5},
    ),
    "one factor too few, in the wrong order": (
        {"ps3-products": """
def products(J):
    T, H, _ = J.shape
    result = []
    for k in range(T + 1):
        M = np.eye(H)
        for t in range(k + 1, T):
            M = M @ J[t]
        result.append(M)
    return np.array(result)
"""},
        {"ps3-products-test": 4},
    ),
    "stops before k = 0": (
        {"ps3-products": {"range(T - 1, -1, -1)": "range(T - 1, 0, -1)", "np.empty": "np.zeros"}},
        {"ps3-products-test": 4.5},
    ),
    "forgets W_hh": (
        {"ps3-jacobians": {"slopes[:, :, None] * W_hh": "slopes[:, :, None] * np.eye(len(W_hh))"}},
        {"ps3-products-test": 4},
    ),
    "a Jacobian of the first state, too": (
        {"ps3-jacobians": {"h[1:] * (1 - h[1:])": "h * (1 - h)"}},
        {"ps3-products-test": 4.5},
    ),
    "the squares of the norms": (
        {"ps3-norms": {"axis=(1, 2))": "axis=(1, 2)) ** 2"}},
        {"ps3-verdict-test": 4},
    ),
    "the spectral radius for the norm": (
        {"ps3-norms": {"np.linalg.norm(P[::-1], 2, axis=(1, 2))": "np.abs(np.linalg.eigvals(P[::-1])).max(axis=1)"}},
        {"ps3-verdict-test": 4},
    ),
    "the comparison turned round": (
        {"ps3-verdict": {"factor < 1": "factor > 1"}},
        {"ps3-verdict-test": 4.5},
    ),
    "all below the border is next to it": (
        {"ps3-verdict": {"abs(factor - 1) < 1e-5": "factor - 1 < 1e-5"}},
        {"ps3-verdict-test": 4.5},
    ),
    "a wide border": (
        {"ps3-verdict": {"1e-5": "1e-3"}},
        {"ps3-verdict-test": 4.5},
    ),
}


# Answers that ignore what they must depend on, but whose numbers fit each other: they earn what other functions do, in the same test.
IGNORES = {
    "zeros for all lags but one": (
        {"ps3-lag-terms": """
def lag_terms(W_hh, W_qh, slopes, h, do):
    return np.zeros((len(slopes) - 1, *W_hh.shape))
"""},
        {"ps3-share-test": 2.5},
    ),
    "products with the weights, for all lags but one": (
        {"ps3-lag-terms": """
def lag_terms(W_hh, W_qh, slopes, h, do):
    return np.stack([W_hh * (do @ W_qh).sum() * (1 + j) for j in range(len(slopes) - 1)])
"""},
        {"ps3-share-test": 2.5},
    ),
    "the state of one unit for the slopes of all": (
        {
            "ps3-jacobians": """
def jacobians(W_hh, h):
    return (h[1:, :1] * np.arange(1, 1 + h.shape[1]))[:, :, None] * W_hh
""",
        },
        {"ps3-products-test": 2.5},
    ),
    "the sum of the states for the slopes of all": (
        {
            "ps3-jacobians": """
def jacobians(W_hh, h):
    return (h[1:].sum(axis=1, keepdims=True) * np.arange(1, 1 + h.shape[1]))[:, :, None] * W_hh
""",
        },
        {"ps3-products-test": 2.5},
    ),
    "zeros for the slopes": (
        {
            "ps3-jacobians": """
def jacobians(W_hh, h):
    return 0 * h[1:, :, None] * W_hh
""",
        },
        {"ps3-products-test": 2.5},
    ),
    "constants for the slopes": (
        {
            "ps3-jacobians": """
def jacobians(W_hh, h):
    return np.arange(1.0, 1 + h[1:].size).reshape(h[1:].shape)[:, :, None] * W_hh
""",
        },
        {"ps3-products-test": 2.5},
    ),
    "an entry for the norm": (
        {
            "ps3-norms": """
def norms_by_lag(P):
    return 2 * abs(P[::-1, 0, 0])
""",
            "ps3-step-bounds": """
def step_bounds(W_hh, slopes):
    return 2 * abs(W_hh[0, 0]) ** np.arange(1, len(slopes) + 1)
""",
            "ps3-verdict": """
def verdict(W_hh, gamma):
    return "vanishes" if 2 * abs(W_hh[0, 0]) < 1 else "undecided"
""",
        },
        {"ps3-verdict-test": 0},
    ),
    "constants for delta": (
        {
            "ps3-lag-terms": """
def lag_terms(W_hh, W_qh, slopes, h, do):
    T, B, H = slopes.shape
    delta = [(1 + j) * np.arange(1.0, 1 + H) * np.ones((B, 1)) for j in range(T)]
    return np.stack([delta[j].T @ h[T - 1 - j] for j in range(T)])
""",
        },
        {"ps3-share-test": 2.5},
    ),
    "the slopes for delta": (
        {
            "ps3-lag-terms": """
def lag_terms(W_hh, W_qh, slopes, h, do):
    T, B, H = slopes.shape
    delta = [slopes[T - 1 - j] for j in range(T)]
    return np.stack([delta[j].T @ h[T - 1 - j] for j in range(T)])
""",
        },
        {"ps3-share-test": 2.5},
    ),
    "a constant for delta_T, and all right from there": (
        {
            "ps3-lag-terms": """
def lag_terms(W_hh, W_qh, slopes, h, do):
    delta, terms = np.ones((len(do), 1)) * np.arange(1.0, 1 + len(W_hh)), []
    for t in range(len(slopes), 0, -1):
        terms.append(delta.T @ h[t - 1])
        delta = delta @ W_hh * slopes[t - 2]
    return np.stack(terms)
""",
        },
        {"ps3-share-test": 2.5},
    ),
    "a verdict by gamma alone": (
        {
            "ps3-verdict": """
def verdict(W_hh, gamma):
    return "vanishes" if gamma < 0.5 else "undecided"
""",
        },
        {"ps3-verdict-test": 3},
    ),
    "an entry of each term, handed back": (
        {
            "ps3-share": """
def share(terms):
    return np.abs(terms[:, 0, 0])


def reach(shares, part=0.9):
    return 3
""",
        },
        {"ps3-share-test": 3.5},
    ),
}
