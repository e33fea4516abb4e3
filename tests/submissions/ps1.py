"""Wrong and partial answers to problem set 1 and their marks, written as `problem_sets.wrong_answers` says."""

WRONG = {
    "forgets the slope of tanh": (
        {"ps1-two-paths": {" * (1 - h**2)": ""}},
        {"ps1-two-paths-test": 5},
    ),
    "takes one path of x": (
        {"ps1-two-paths": {" + do * w3}": "}"}},
        {"ps1-two-paths-test": 5},
    ),
    "no slopes in the hidden layers": (
        {"ps1-depth": {" * (1 - h[l - 1] ** 2)": ""}},
        {"ps1-depth-test": 4.5},
    ),
    "a slope in the last layer, too": (
        {"ps1-depth": {"db = h[n] - y": "db = (h[n] - y) * (1 - h[n] ** 2)"}},
        {"ps1-depth-test": 4.5},
    ),
    "the mean over the batch": (
        {"ps1-depth": {"db = h[n] - y": "db = (h[n] - y) / len(x)", "** 2) / 2": "** 2) / 2 / len(x)"}},
        {"ps1-depth-test": 5},
    ),
    "W not transposed": (
        {"ps1-depth": {"delta @ W[l]": "delta @ W[l].T"}},
        {"ps1-depth-test": 4.5},
    ),
    "one-sided differences": (
        {"ps1-differences": {"(f(up) - f(down)) / (2 * eps)": "(f(up) - f(array)) / eps"}},
        {"ps1-differences-test": 3},
    ),
    "does not put the entry back": (
        {"ps1-differences": {
            "up, down = array.copy(), array.copy()": "array[at] += eps",
            "up[at] += eps": "up = f(array)",
            "down[at] -= eps": "array[at] -= 2 * eps",
            "f(up) - f(down)": "up - f(array)",
        }},
        {"ps1-differences-test": 3},
    ),
    "vectors only": (
        {"ps1-differences": {"np.ndindex(array.shape)": "range(len(array))"}},
        {"ps1-differences-test": 3},
    ),
    "the first question alone": (
        {"ps1-depth": None, "ps1-differences": None},
        {"ps1-depth-test": 0, "ps1-differences-test": 0},
    ),
    "y - o for o - y": (
        {"ps1-two-paths": {"do = w2 * h + w3 * x + b2 - y": "do = y - (w2 * h + w3 * x + b2)"}},
        {"ps1-two-paths-test": 5},
    ),
    "twice the error, as of a square without a half": (
        {"ps1-two-paths": {"do = w2 * h + w3 * x + b2 - y": "do = 2 * (w2 * h + w3 * x + b2 - y)"}},
        {"ps1-two-paths-test": 5},
    ),
    "the derivatives of o": (
        {"ps1-two-paths": {"do = w2 * h + w3 * x + b2 - y": "do = 1.0"}},
        {"ps1-two-paths-test": 4},
    ),
    "forgets b1 on the way forward": (
        {"ps1-two-paths": {"w1 * x + b1": "w1 * x"}},
        {"ps1-two-paths-test": 5},
    ),
    "what was handed in, handed back": (
        {"ps1-two-paths": "def by_hand(w1, w2, w3, b1, b2, x, y):\n    return {'b2': 1.0, 'b1': 1.0, 'w1': x, 'w3': x, 'w2': w2, 'x': w1}"},
        {"ps1-two-paths-test": 0},
    ),
    "y - h for h - y": (
        {"ps1-depth": {"db = h[n] - y": "db = y - h[n]"}},
        {"ps1-depth-test": 4.5},
    ),
    "the outer product turned round": (
        {"ps1-depth": {"delta.T @ h[l - 1]": "h[l - 1].T @ delta"}},
        {"ps1-depth-test": 4.5},
    ),
    "the states after a layer in its dW": (
        {"ps1-depth": {"delta.T @ h[l - 1]": "delta.T @ h[min(l, n - 1)]"}},
        {"ps1-depth-test": 5},
    ),
    "forgets the biases on the way forward": (
        {"ps1-depth": {" + b[l]": ""}},
        {"ps1-depth-test": 5},
    ),
    "stops one layer early": (
        {"ps1-depth": {"if l > 1:": "if l > 2 or l == n:"}},
        {"ps1-depth-test": 5},
    ),
    "multiplies by the step, where the brackets are missing": (
        {"ps1-differences": {"/ (2 * eps)": "/ 2 * eps"}},
        {"ps1-differences-test": 3},
    ),
    "divides by eps": (
        {"ps1-differences": {"(2 * eps)": "eps"}},
        {"ps1-differences-test": 3},
    ),
    "downwards": (
        {"ps1-differences": {"f(up) - f(down)": "f(down) - f(up)"}},
        {"ps1-differences-test": 3},
    ),
    # Each step seems right, and the whole is not.
    "a mean over the batch in the loss alone": (
        {"ps1-depth": {'** 2) / 2': '** 2) / 2 / len(x)'}},
        {"ps1-depth-test": 5.5},
    ),
    "the loss of the first output alone, for a batch": (
        {"ps1-depth": {'np.sum((h[n] - y) ** 2) / 2': 'np.sum((h[n] - y) ** 2) / 2 if len(x) == 1 else np.sum((h[n] - y)[:, 0] ** 2) / 2'}},
        {"ps1-depth-test": 5.5},
    ),
    "absolute values of the weights in the paths of x": (
        {"ps1-two-paths": {'dz * w1 + do * w3': 'dz * abs(w1) + do * abs(w3)'}},
        {"ps1-two-paths-test": 5},
    ),
    # One mistake, on which much rests.
    "forgets y": (
        {"ps1-two-paths": {"b2 - y": "b2"}},
        {"ps1-two-paths-test": 5},
    ),
    "no tanh on the way forward": (
        {"ps1-depth": {"np.tanh(z) if l < n else z": "z"}},
        {"ps1-depth-test": 5},
    ),
    "the weights of the layer before": (
        {"ps1-depth": {"delta @ W[l]": "delta @ W[l - 1]"}},
        {"ps1-depth-test": 4.5},
    ),
    "forgets the weights on the way back": (
        {"ps1-depth": {"delta @ W[l]": "delta"}},
        {"ps1-depth-test": 4.5},
    ),
    "neither weights nor slopes on the way back": (
        {"ps1-depth": {"delta @ W[l] * (1 - h[l - 1] ** 2)": "delta"}},
        {"ps1-depth-test": 3},
    ),
    "the slope of a sigmoid": (
        {"ps1-depth": {"(1 - h[l - 1] ** 2)": "h[l - 1] * (1 - h[l - 1])"}},
        {"ps1-depth-test": 4.5},
    ),
    "entries that stay moved": (
        {"ps1-differences": {
            "    for at in np.ndindex(array.shape):\n        up, down = array.copy(), array.copy()":
                "    up, down = array.copy(), array.copy()\n    for at in np.ndindex(array.shape):",
        }},
        {"ps1-differences-test": 3},
    ),
    "does not sum db over the batch": (
        {"ps1-depth": {'delta.sum(axis=0)': 'delta'}},
        {"ps1-depth-test": 5},
    ),
    "sums db over the units, not over the batch": (
        {"ps1-depth": {'delta.sum(axis=0)': 'delta.sum(axis=1)'}},
        {"ps1-depth-test": 5},
    ),
    "sums db over all": (
        {"ps1-depth": {'delta.sum(axis=0)': 'delta.sum()'}},
        {"ps1-depth-test": 5},
    ),
    "the mean of db over all": (
        {"ps1-depth": {'delta.sum(axis=0)': 'delta.mean()'}},
        {"ps1-depth-test": 5},
    ),
    "the sum of the signals on the way back, without weights": (
        {"ps1-depth": {"delta @ W[l]": "delta.sum(axis=1, keepdims=True)"}},
        {"ps1-depth-test": 4.5},
    ),
    "the sum of the signals on the way back, without weights, and sums db over all": (
        {"ps1-depth": {"delta @ W[l]": "delta.sum(axis=1, keepdims=True)", 'delta.sum(axis=0)': 'delta.sum()'}},
        {"ps1-depth-test": 3.5},
    ),
    "sums db over the units, and W not transposed": (
        {"ps1-depth": {'delta.sum(axis=0)': 'delta.sum(axis=1)', "delta @ W[l]": "delta @ W[l].T"}},
        {"ps1-depth-test": 3.5},
    ),
    "db as a row": (
        {"ps1-depth": {'delta.sum(axis=0)': 'delta.sum(axis=0, keepdims=True)'}},
        {"ps1-depth-test": 5.5},
    ),
    "the slope of the layer after": (
        {"ps1-depth": {'delta @ W[l] * (1 - h[l - 1] ** 2)': '(delta * (1 - h[l] ** 2)) @ W[l]'}},
        {"ps1-depth-test": 4.5},
    ),
    "forgets the target on the way back": (
        {"ps1-depth": {'delta, dW, db = h[n] - y': 'delta, dW, db = h[n]'}},
        {"ps1-depth-test": 4.5},
    ),
}


# Right answers in other styles, as edits of the solutions: they get all points.
RIGHT = {
    "each number as an array with one entry": {
        "ps1-two-paths": {
            'return {"w1": dz * x, "w2": do * h, "w3": do * x, "b1": dz, "b2": do, "x": dz * w1 + do * w3}':
                'found = {"w1": dz * x, "w2": do * h, "w3": do * x, "b1": dz, "b2": do, "x": dz * w1 + do * w3}\n'
                '    return {name: np.array([value]) for name, value in found.items()}'},
        "ps1-depth": {"return loss, dW, db": "return np.array([loss]), dW, db"},
    },
}


# Answers that ignore what they must depend on, but whose numbers fit each other: they earn what other functions do, in the same test.
IGNORES = {
    "w1 and w3 twice, for dz and do": (
        {
            "ps1-two-paths": """
def by_hand(w1, w2, w3, b1, b2, x, y):
    do, dz = 2 * y, 2 * w1
    return {"b2": do, "b1": dz, "w1": dz * x, "w2": y, "w3": do * x, "x": dz * w1 + do * w3}
""",
        },
        {"ps1-two-paths-test": 0},
    ),
    "two constants by hand": (
        {
            "ps1-two-paths": """
def by_hand(w1, w2, w3, b1, b2, x, y):
    do, dz = 2.0, 3.0
    return {"b2": do, "b1": dz, "w1": dz * x, "w2": do * w2, "w3": do * x, "x": dz * w1 + do * w3}
""",
        },
        {"ps1-two-paths-test": 0},
    ),
    "a constant for the error, and all right from there": (
        {
            "ps1-depth": """
def backpropagate(W, b, x, y):
    n, h = len(W), {0: x}
    for l in range(1, n + 1):
        z = h[l - 1] @ W[l].T + b[l]
        h[l] = np.tanh(z) if l < n else z
    delta, dW, db = np.ones((len(x), 1)) * np.arange(1.0, 1 + y.shape[1]), {}, {}
    for l in range(n, 0, -1):
        dW[l], db[l] = delta.T @ h[l - 1], delta.sum(axis=0)
        if l > 1:
            delta = delta @ W[l] * (1 - h[l - 1] ** 2)
    return 1.0, dW, db
""",
        },
        {"ps1-depth-test": 0},
    ),
    "a linear loss, and its slopes": (
        {
            "ps1-depth": """
def backpropagate(W, b, x, y):
    db = {l: len(x) * np.arange(1.0, 1 + len(b[l])) for l in b}
    return -(y * np.arange(1.0, 1 + y.shape[1])).sum(), {l: np.outer(db[l], np.ones(W[l].shape[1])) for l in W}, db
""",
        },
        {"ps1-depth-test": 0},
    ),
    "a loss of y alone, and its slopes": (
        {
            "ps1-depth": """
def backpropagate(W, b, x, y):
    db = {l: len(x) * np.arange(1.0, 1 + len(b[l])) for l in b} | {len(b): -y.sum(axis=0)}
    return (y**2).sum() / 2, {l: np.outer(db[l], np.ones(W[l].shape[1])) for l in W}, db
""",
        },
        {"ps1-depth-test": 0},
    ),
    "one number for each db, and what fits it": (
        {
            "ps1-depth": """
def backpropagate(W, b, x, y):
    db = {l: (1.0 + l) * y.sum() for l in b}
    return (y**2).sum() / 2, {l: db[l] * np.ones(W[l].shape) for l in W}, db
""",
        },
        {"ps1-depth-test": 0},
    ),
    "one constant for each db, and a linear loss": (
        {
            "ps1-depth": """
def backpropagate(W, b, x, y):
    return -y.sum(), {l: np.ones(W[l].shape) for l in W}, {l: 1.0 * y.shape[1] for l in b}
""",
        },
        {"ps1-depth-test": 0},
    ),
    "the bias for db, summed": (
        {
            "ps1-depth": """
def backpropagate(W, b, x, y):
    return sum(each.sum() for each in b.values()), W, {l: b[l].sum() for l in b}
""",
        },
        {"ps1-depth-test": 0},
    ),
}
