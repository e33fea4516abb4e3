"""Wrong and partial answers to problem set 1 and their marks, written as `problem_sets.wrong_answers` says."""

WRONG = {
    "forgets the slope of tanh": (
        {"ps1-two-paths": {" * (1 - h**2)": ""}},
        {"ps1-two-paths-test": 3},
    ),
    "takes one path of x": (
        {"ps1-two-paths": {" + do * w3}": "}"}},
        {"ps1-two-paths-test": 5},
    ),
    "no slopes in the hidden layers": (
        {"ps1-depth": {" * (1 - h[l - 1] ** 2)": ""}},
        {"ps1-depth-test": 2},
    ),
    "a slope in the last layer, too": (
        {"ps1-depth": {"db = h[n] - y": "db = (h[n] - y) * (1 - h[n] ** 2)"}},
        {"ps1-depth-test": 0.5},
    ),
    "the mean over the batch": (
        {"ps1-depth": {"db = h[n] - y": "db = (h[n] - y) / len(x)", "** 2) / 2": "** 2) / 2 / len(x)"}},
        {"ps1-depth-test": 5},
    ),
    "W not transposed": (
        {"ps1-depth": {"delta @ W[l]": "delta @ W[l].T"}},
        {"ps1-depth-test": 1.5},
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
}
