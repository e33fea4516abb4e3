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
        {"ps1-two-paths-test": 4},
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
        {"ps1-depth-test": 4.5},
    ),
    "stops one layer early": (
        {"ps1-depth": {"if l > 1:": "if l > 2 or l == n:"}},
        {"ps1-depth-test": 5},
    ),
    "divides by eps": (
        {"ps1-differences": {"(2 * eps)": "eps"}},
        {"ps1-differences-test": 3},
    ),
    "downwards": (
        {"ps1-differences": {"f(up) - f(down)": "f(down) - f(up)"}},
        {"ps1-differences-test": 3},
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
