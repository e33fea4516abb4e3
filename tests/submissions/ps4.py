"""Wrong and partial answers to problem set 4 and their marks, written as `problem_sets.wrong_answers` says."""

WRONG = {
    "clips by value where the norm is asked for": (
        {"ps4-clip": {"factor * array": "np.clip(array, -c, c)"}},
        {"ps4-clip-test": 4},
    ),
    "clips each array on its own": (
        {"ps4-clip": {"factor * array": "array * c / max(np.linalg.norm(array), c)"}},
        {"ps4-clip-test": 4},
    ),
    "clips each part on its own": (
        {"ps4-clip": {
            "factor = c / norm if norm > c else 1.0": """sizes = np.array(sizes) / sum(sizes)
    for k, part in enumerate(parts):
        sizes[k] *= min(1, c / np.sqrt(sum(np.sum(array**2) for array in part.values())))""",
            "factor * array for name, array in g.items()": "sum(B * part[name] for B, part in zip(sizes, parts)) for name in g",
        }},
        {"ps4-clip-test": 4},
    ),
    "works on the parts themselves": (
        {"ps4-clip": {
            "        g[name] = sum(B * part[name] for B, part in zip(sizes, parts)) / sum(sizes)":
                "        for B, part in zip(sizes, parts):\n            part[name] *= B / sum(sizes)\n        g[name] = sum(part[name] for part in parts)",
        }},
        {"ps4-clip-test": 4.5},
    ),
    "takes the plain mean of the parts": (
        {"ps4-clip": {
            "sum(B * part[name] for B, part in zip(sizes, parts)) / sum(sizes)": "sum(part[name] for part in parts) / len(parts)",
        }},
        {"ps4-clip-test": 4},
    ),
    "scales short gradients up, and divides 0 by 0": (
        {"ps4-clip": {"c / norm if norm > c else 1.0": "c / norm"}},
        {"ps4-clip-test": 4},
    ),
    "divides 0 by 0": (
        {"ps4-clip": {"c / norm if norm > c else 1.0": "min(norm, c) / norm"}},
        {"ps4-clip-test": 4.5},
    ),
    "returns the norm after clipping": (
        {"ps4-clip": {"}, norm": "}, factor * norm"}},
        {"ps4-clip-test": 4.5},
    ),
    "forgets the square root": (
        {"ps4-clip": {"np.sqrt(": "("}},
        {"ps4-clip-test": 4.5},
    ),
    "hands NaN on, and gives the angle in radians": (
        {"ps4-clip": {'raise FloatingPointError("inf or NaN in the gradient")': "pass", "np.degrees(": "("}},
        {"ps4-clip-test": 4},
    ),
    "only clip_parts": (
        {"ps4-clip": {"def clip_value(": "def not_yet("}, "ps4-train": None, "ps4-cliff": ""},
        {"ps4-clip-test": 4, "ps4-train-test": 0, "ps4-cliff-test": 0},
    ),
    "changes the parameters in place": (
        {"ps4-train": {
            "[{name: array.copy() for name, array in parameters.items()}]": "[parameters]",
            "now = {name: now[name] - rate * v[name] for name in now}": "for name in now:\n                now[name] -= rate * v[name]",
        }},
        {"ps4-train-test": 4.5},
    ),
    "ignores the clipped gradients": (
        {"ps4-train": {"grads, norm = clip(grads)": "_, norm = clip(grads)"}},
        {"ps4-train-test": 4},
    ),
    "clips the velocity, after the momentum": (
        {"ps4-train": {
            "grads, norm = clip(grads)": "new = {name: mu * v[name] + grads[name] for name in now}\n        clipped, norm = clip(new)",
            " v = {name: mu * v[name] + grads[name] for name in now}": " v = new",
            "rate * v[name]": "rate * clipped[name]",
        }},
        {"ps4-train-test": 4},
    ),
    "calls clip for each array": (
        {"ps4-train": {"grads, norm = clip(grads)": '''one_by_one = {name: clip({name: grads[name]}) for name in grads}
        grads = {name: clipped[name] for name, (clipped, _) in one_by_one.items()}
        norm = np.sqrt(sum(norm**2 for _, norm in one_by_one.values()))'''}},
        {"ps4-train-test": 4},
    ),
    "stops at the first norm that is not finite": (
        {"ps4-train": {"if np.isfinite(norm):": "if not np.isfinite(norm):\n            break\n        else:"}},
        {"ps4-train-test": 4},
    ),
    "plain descent, and a bad norm is not noticed": (
        {"ps4-train": {"if np.isfinite(norm)": "if True", "mu * v[name] + ": ""}},
        {"ps4-train-test": 3},
    ),
    "plain descent": (
        {"ps4-train": {"mu * v[name] + ": ""}},
        {"ps4-train-test": 3.5},
    ),
    "a skipped step sets the velocity to 0": (
        {"ps4-train": {
            "        path.append": "        else:\n            v = {name: 0.0 for name in now}\n        path.append",
        }},
        {"ps4-train-test": 4.5},
    ),
    "forgets the slope everywhere": (
        {"ps4-cliff": {"dh * (1 - h[t] ** 2)": "dh"}},
        {"ps4-cliff-test": 5},
    ),
    "forgets the slope on the way back": (
        {"ps4-cliff": {"(h[T] - y) / B": "(h[T] - y) * (1 - h[T] ** 2) / B", "dh * (1 - h[t] ** 2)": "dh"}},
        {"ps4-cliff-test": 5},
    ),
    "takes the slope at the wrong step": (
        {"ps4-cliff": {"h[t] ** 2": "h[min(t + 1, T)] ** 2"}},
        {"ps4-cliff-test": 5},
    ),
    "forgets the mean over the batch": (
        {"ps4-cliff": {" / B": ""}},
        {"ps4-cliff-test": 5.5},
    ),
    "h_t in the place of h_{t-1}": (
        {"ps4-cliff": {"h[:-1]": "h[1:]"}},
        {"ps4-cliff-test": 5},
    ),
    "means over the steps, and the mean for the median": (
        {"ps4-cliff": {
            "np.sum(delta * h[:-1]), np.sum(delta)": "np.mean(delta * h[:-1]), np.mean(delta)",
            "np.median": "np.mean",
        }},
        {"ps4-cliff-test": 4.5},
    ),
    "a threshold from all steps, inf and NaN among them": (
        {"ps4-cliff": {"norms[(losses > above) & np.isfinite(norms)]": "norms"}},
        {"ps4-cliff-test": 4.5},
    ),
    "only the way back": (
        {"ps4-cliff": {"def collect(": "def not_yet(", "def median_threshold(": "def nor_this("}},
        {"ps4-cliff-test": 2.5},
    ),
    "skips inf, and lets NaN in": (
        {"ps4-train": {"if np.isfinite(norm)": "if not np.isinf(norm)"}},
        {"ps4-train-test": 4.5},
    ),
    "leaves a skipped batch out of the path": (
        {"ps4-train": {"        if np.isfinite(norm):": "        if not np.isfinite(norm):\n            continue\n        if True:"}},
        {"ps4-train-test": 4.5},
    ),
    "leaves the norm of a skipped batch out": (
        {"ps4-train": {"        norms.append(norm)\n": "", "            v = {name: mu": "            norms.append(norm)\n            v = {name: mu"}},
        {"ps4-train-test": 4.5},
    ),
    "a path without the start": (
        {"ps4-train": {"return path, norms": "return path[1:], norms"}},
        {"ps4-train-test": 4},
    ),
    "goes uphill": (
        {"ps4-train": {"now[name] - rate": "now[name] + rate"}},
        {"ps4-train-test": 4},
    ),
    "forgets to divide by the number of examples": (
        {"ps4-clip": {" / sum(sizes)": ""}},
        {"ps4-clip-test": 4.5},
    ),
    "raises an error at any gradient": (
        {"ps4-clip": "def clip_parts(parts, sizes, c):\n    raise FloatingPointError\n\n\ndef clip_value(grads, c):\n    return grads, 0.0"},
        {"ps4-clip-test": 0},
    ),
    # Each step seems right, and the whole is not.
    "clips the step, not the gradient": (
        {"ps4-train": {'        grads, norm = clip(grads)\n': '        norm = clip(grads)[1]\n',
                '            now = {name: now[name] - rate * v[name]': '            step, _ = clip(v)\n'
                '            now = {name: now[name] - rate * step[name]'}},
        {"ps4-train-test": 4},
    ),
    "clips the velocity, not the gradient": (
        {"ps4-train": {'        grads, norm = clip(grads)\n': '        norm = clip(grads)[1]\n',
                '            v = {name: mu * v[name] + grads[name] for name in now}': '            v = clip({name: mu * v[name] + grads[name] for name in now})[0]'}},
        {"ps4-train-test": 4},
    ),
    "a velocity of what is not clipped": (
        {"ps4-train": {'        grads, norm = clip(grads)\n': '        clipped, norm = clip(grads)\n',
                'now[name] - rate * v[name]': 'now[name] - rate * (mu * old[name] + clipped[name])',
                '            v = {': '            old = v\n            v = {'}},
        {"ps4-train-test": 4},
    ),
    "three parts twice as long where they are not clipped": (
        {"ps4-clip": {"c / norm if norm > c else 1.0": "c / norm if norm > c else 1.0 + (len(parts) > 2)"}},
        {"ps4-clip-test": 4.5},
    ),
    "db without signs": (
        {"ps4-cliff": {"np.sum(delta * h[:-1]), np.sum(delta)": "np.sum(delta * h[:-1]), np.sum(np.abs(delta))"}},
        {"ps4-cliff-test": 5.5},
    ),
    "the velocity forgotten after a clipped step": (
        {"ps4-train": {"grads, norm = clip(grads)": "raw = grads\n        grads, norm = clip(grads)",
                       "mu * v[name] + grads[name]": "mu * v[name] * np.array_equal(raw[name], grads[name]) + grads[name]"}},
        {"ps4-train-test": 4},
    ),
    # A slip in time.
    "error signals from the last step to the first": (
        {"ps4-cliff": {"    return delta\n": "    return delta[::-1]\n"}},
        {"ps4-cliff-test": 5},
    ),
    "error signals with a row for h_0": (
        {"ps4-cliff": {"    return delta\n": "    return np.concatenate([0 * delta[:1], delta])\n"}},
        {"ps4-cliff-test": 5},
    ),
    "error signals with an empty row at the end": (
        {"ps4-cliff": {"np.zeros((T, B))": "np.zeros((T + 1, B))"}},
        {"ps4-cliff-test": 5},
    ),
    "the way back ends at step 2": (
        {"ps4-cliff": {"range(T, 0, -1)": "range(T, 1, -1)"}},
        {"ps4-cliff-test": 5},
    ),
    "error signals from the last step to the first, and no slope on the way": (
        {"ps4-cliff": {"    return delta\n": "    return delta[::-1]\n", "(h[T] - y) / B": "(h[T] - y) * (1 - h[T] ** 2) / B", "dh * (1 - h[t] ** 2)": "dh"}},
        {"ps4-cliff-test": 3.5},
    ),
    # One mistake, on which much rests.
    "parts added up without their sizes": (
        {"ps4-clip": {"sum(B * part[name] for B": "sum(part[name] for B"}},
        {"ps4-clip-test": 4},
    ),
    "the norm of the last array": (
        {"ps4-clip": {"np.sqrt(sum(np.sum(array**2) for array in g.values()))": "[np.sqrt(np.sum(array**2)) for array in g.values()][-1]"}},
        {"ps4-clip-test": 4},
    ),
    "a sum of norms": (
        {"ps4-clip": {"np.sqrt(sum(np.sum(array**2) for array in g.values()))": "sum(np.sqrt(np.sum(array**2)) for array in g.values())"}},
        {"ps4-clip-test": 4.5},
    ),
    "a velocity that only grows": (
        {"ps4-train": {"mu * v[name] + grads": "v[name] + grads"}},
        {"ps4-train-test": 4},
    ),
    "mu at the gradient": (
        {"ps4-train": {"mu * v[name] + grads[name]": "v[name] + mu * grads[name]"}},
        {"ps4-train-test": 4},
    ),
    "mu at both": (
        {"ps4-train": {"mu * v[name] + grads[name]": "mu * (v[name] + grads[name])"}},
        {"ps4-train-test": 4},
    ),
    "1 - mu at the velocity, mu at the gradient": (
        {"ps4-train": {"mu * v[name] + grads[name]": "(1 - mu) * v[name] + mu * grads[name]"}},
        {"ps4-train-test": 4},
    ),
    "the step before the velocity": (
        {"ps4-train": {
            "            v = {name: mu * v[name] + grads[name] for name in now}\n": "            old = v\n            v = {name: mu * v[name] + grads[name] for name in now}\n",
            "rate * v[name]": "rate * old[name]",
        }},
        {"ps4-train-test": 4},
    ),
    "the gradient at the start, in each step": (
        {"ps4-train": {"gradient(now, batch)": "gradient(parameters, batch)"}},
        {"ps4-train-test": 4},
    ),
    "half the rate": (
        {"ps4-train": {"rate * v[name]": "rate / 2 * v[name]"}},
        {"ps4-train-test": 4},
    ),
    "forgets y": (
        {"ps4-cliff": {"(h[T] - y) / B": "h[T] / B"}},
        {"ps4-cliff-test": 5},
    ),
    "the steps with a loss below the value": (
        {"ps4-cliff": {"losses > above": "losses < above"}},
        {"ps4-cliff-test": 5},
    ),
    "a loss at the value counts": (
        {"ps4-cliff": {"losses > above": "losses >= above"}},
        {"ps4-cliff-test": 5},
    ),
    "the last step alone in dw and db": (
        {"ps4-cliff": {"np.sum(delta * h[:-1]), np.sum(delta)": "np.sum(delta[-1] * h[-2]), np.sum(delta[-1])"}},
        {"ps4-cliff-test": 5},
    ),
    "dw and db exchanged": (
        {"ps4-cliff": {"np.sum(delta * h[:-1]), np.sum(delta)": "np.sum(delta), np.sum(delta * h[:-1])"}},
        {"ps4-cliff-test": 5},
    ),
    "a path without its end": (
        {"ps4-train": {'return path, norms': 'return path[:-1], norms'}},
        {"ps4-train-test": 4.5},
    ),
    "overwrites the sum over the parts": (
        {"ps4-clip": {"g[name] = sum(B * part[name] for B, part in zip(sizes, parts)) / sum(sizes)":
                      "for B, part in zip(sizes, parts):\n            g[name] = B * part[name] / sum(sizes)"}},
        {"ps4-clip-test": 3},
    ),
    "the last part alone, as it is": (
        {"ps4-clip": {"sum(B * part[name] for B, part in zip(sizes, parts)) / sum(sizes)": "parts[-1][name]"}},
        {"ps4-clip-test": 1.5},
    ),
}


# Right answers in other styles, as edits of the solutions: they get all points.
RIGHT = {
    "each number as an array with one entry": {
        "ps4-clip": {
            "for name, array in g.items()}, norm": "for name, array in g.items()}, np.array([norm])",
            "np.degrees(np.arccos(min(cosine, 1)))": "np.array([np.degrees(np.arccos(min(cosine, 1)))])"},
        "ps4-train": {"norms.append(norm)": "norms.append(np.array([norm]))"},
        "ps4-cliff": {
            "return np.sum(delta * h[:-1]), np.sum(delta)": "return np.array([np.sum(delta * h[:-1])]), np.array([np.sum(delta)])",
            "return np.median(norms[(losses > above) & np.isfinite(norms)])":
                "return np.array([np.median(norms[(losses > above) & np.isfinite(norms)])])"},
    },
}


# Answers that ignore what they must depend on, but whose numbers fit each other: they earn what other functions do, in the same test.
IGNORES = {
    "constants for the gradient": (
        {
            "ps4-clip": """
def clip_parts(parts, sizes, c):
    g = {name: np.arange(1.0, 1 + array.size).reshape(array.shape) for name, array in parts[0].items()}
    norm = np.sqrt(sum(np.sum(array**2) for array in g.values()))
    return {name: min(1, c / norm) * array for name, array in g.items()}, norm


def clip_value(grads, c):
    g = {name: np.arange(1.0, 1 + array.size).reshape(array.shape) for name, array in grads.items()}
    u, v = (np.concatenate([array.ravel() for array in each.values()]) for each in (grads, g))
    return g, np.degrees(np.arccos(min(u @ v / np.linalg.norm(u) / np.linalg.norm(v), 1)))
""",
        },
        {"ps4-clip-test": 0},
    ),
    "twice the first part": (
        {
            "ps4-clip": """
def clip_parts(parts, sizes, c):
    g = {name: 2 * array for name, array in parts[0].items()}
    norm = np.sqrt(sum(np.sum(array**2) for array in g.values()))
    return {name: min(1, c / norm) * array for name, array in g.items()}, norm


def clip_value(grads, c):
    g = {name: 2 * array for name, array in grads.items()}
    u, v = (np.concatenate([array.ravel() for array in each.values()]) for each in (grads, g))
    return g, np.degrees(np.arccos(min(u @ v / np.linalg.norm(u) / np.linalg.norm(v), 1)))
""",
        },
        {"ps4-clip-test": 0},
    ),
    # It does call clip with what gradient returns, and its norms are right.
    "steps that are constants": (
        {
            "ps4-train": """
def train(parameters, gradient, clip, batches, rate, mu):
    path, norms = [parameters], []
    for batch in batches:
        now = path[-1]
        norms.append(clip(gradient(now, batch)[1])[1])
        path.append({name: now[name] + 0.1 * np.isfinite(norms[-1]) for name in now})
    return path, norms
""",
        },
        {"ps4-train-test": 1.5},
    ),
    "a constant for the error, and all right from there; constants": (
        {
            "ps4-cliff": """
def error_signals(w, h, y):
    delta = np.ones((len(h) - 1, len(y))) / len(y)
    for t in range(len(delta) - 1, 0, -1):
        delta[t - 1] = delta[t] * w * (1 - h[t] ** 2)
    return delta


def collect(delta, h):
    return 2.0, 2.0


def median_threshold(losses, norms, above):
    return 3.0
""",
        },
        {"ps4-cliff-test": 0},
    ),
    # Its db is right.
    "y for the error; sums, and the first norm": (
        {
            "ps4-cliff": """
def error_signals(w, h, y):
    return np.stack([y / len(y) * w ** (len(h) - 2 - t) for t in range(len(h) - 1)])


def collect(delta, h):
    return delta.sum(), delta.sum()


def median_threshold(losses, norms, above):
    return norms[0]
""",
        },
        {"ps4-cliff-test": 0.5},
    ),
    "constants and y, turned round in time, with a row too many": (
        {
            "ps4-cliff": """
def error_signals(w, h, y):
    return np.stack([w**t * y / len(y) for t in range(len(h))])


def collect(delta, h):
    return 2.0, 2.0


def median_threshold(losses, norms, above):
    return 3.0
""",
        },
        {"ps4-cliff-test": 0},
    ),
    "the states, turned round in time": (
        {
            "ps4-cliff": """
def error_signals(w, h, y):
    return h[:0:-1] / len(y)


def collect(delta, h):
    return delta[0, 0], delta[0, 0]


def median_threshold(losses, norms, above):
    return losses[0]
""",
        },
        {"ps4-cliff-test": 0},
    ),
}
