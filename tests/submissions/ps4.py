"""Wrong and partial answers to problem set 4, and the marks that they earn: what a fair teacher would give."""

CLIP_VALUE = '''

def clip_value(grads, c):
    clipped = {name: np.clip(array, -c, c) for name, array in grads.items()}
    u = np.concatenate([array.ravel() for array in grads.values()])
    v = np.concatenate([array.ravel() for array in clipped.values()])
    return clipped, np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))
'''

JOIN = '''
def joined(parts, sizes):
    return {name: sum(B * part[name] for B, part in zip(sizes, parts)) / sum(sizes) for name in parts[0]}


def norm_of(g):
    norm = np.sqrt(sum(np.sum(array**2) for array in g.values()))
    if not np.isfinite(norm):
        raise FloatingPointError("the gradient is not finite")
    return norm

'''

COLLECT = '''

def collect(delta, h):
    return np.sum(delta * h[:-1]), np.sum(delta)
'''

MEDIAN = '''

def median_threshold(losses, norms, above):
    return np.median(norms[(losses > above) & np.isfinite(norms)])
'''

ERROR_SIGNALS = '''
def error_signals(w, h, y):
    T, B = len(h) - 1, len(y)
    delta = np.zeros((T, B))
    delta[-1] = (h[-1] - y) * (1 - h[-1] ** 2) / B
    for t in range(T - 1, 0, -1):
        delta[t - 1] = delta[t] * w * (1 - h[t] ** 2)
    return delta

'''

WRONG = {
    "clips by value where the norm is asked for": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = joined(parts, sizes)
    return {name: np.clip(array, -c, c) for name, array in g.items()}, norm_of(g)
''' + CLIP_VALUE},
        {"ps4-clip-test": 3.5},
    ),
    "clips each array on its own": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = joined(parts, sizes)
    clipped = {}
    for name, array in g.items():
        norm = np.linalg.norm(array)
        clipped[name] = array * c / norm if norm > c else array
    return clipped, norm_of(g)
''' + CLIP_VALUE},
        {"ps4-clip-test": 3.5},
    ),
    "clips each part on its own": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    clipped = []
    for part in parts:
        norm = norm_of(part)
        clipped.append({name: array * c / norm if norm > c else array for name, array in part.items()})
    return joined(clipped, sizes), norm_of(joined(parts, sizes))
''' + CLIP_VALUE},
        {"ps4-clip-test": 4.5},
    ),
    "takes the plain mean of the parts": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
    norm = norm_of(g)
    if norm > c:
        g = {name: array * c / norm for name, array in g.items()}
    return g, norm
''' + CLIP_VALUE},
        {"ps4-clip-test": 4},
    ),
    "scales short gradients up, and divides 0 by 0": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = joined(parts, sizes)
    norm = norm_of(g)
    return {name: c / norm * array for name, array in g.items()}, norm
''' + CLIP_VALUE},
        {"ps4-clip-test": 4},
    ),
    "divides 0 by 0": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = joined(parts, sizes)
    norm = norm_of(g)
    return {name: min(norm, c) / norm * array for name, array in g.items()}, norm
''' + CLIP_VALUE},
        {"ps4-clip-test": 4.5},
    ),
    "returns the norm after clipping": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = joined(parts, sizes)
    norm = norm_of(g)
    if norm > c:
        g = {name: array * c / norm for name, array in g.items()}
    return g, norm_of(g)
''' + CLIP_VALUE},
        {"ps4-clip-test": 4},
    ),
    "forgets the square root": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = joined(parts, sizes)
    norm = norm_of(g) ** 2
    return {name: array * c / norm if norm > c else array for name, array in g.items()}, norm
''' + CLIP_VALUE},
        {"ps4-clip-test": 2.5},
    ),
    "hands NaN on, and gives the angle in radians": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = joined(parts, sizes)
    norm = np.sqrt(sum(np.sum(array**2) for array in g.values()))
    if norm > c:
        g = {name: array * c / norm for name, array in g.items()}
    return g, norm


def clip_value(grads, c):
    clipped = {name: np.clip(array, -c, c) for name, array in grads.items()}
    u = np.concatenate([array.ravel() for array in grads.values()])
    v = np.concatenate([array.ravel() for array in clipped.values()])
    return clipped, np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
'''},
        {"ps4-clip-test": 4},
    ),
    "only clip_parts": (
        {"ps4-clip": JOIN + '''
def clip_parts(parts, sizes, c):
    g = joined(parts, sizes)
    norm = norm_of(g)
    return {name: array * min(1, c / max(norm, c)) for name, array in g.items()}, norm
''', "ps4-train": "def train(parameters, gradient, clip, batches, rate, mu):\n    raise NotImplementedError()\n",
         "ps4-cliff": ""},
        {"ps4-clip-test": 4, "ps4-train-test": 0, "ps4-cliff-test": 0},
    ),
    "changes the parameters in place": (
        {"ps4-train": '''
def train(parameters, gradient, clip, batches, rate, mu):
    path, norms = [parameters], []
    v = {name: np.zeros_like(array) for name, array in parameters.items()}
    for batch in batches:
        loss, grads = gradient(parameters, batch)
        grads, norm = clip(grads)
        norms.append(norm)
        if np.isfinite(norm):
            for name in parameters:
                v[name] = mu * v[name] + grads[name]
                parameters[name] -= rate * v[name]
        path.append(parameters)
    return path, norms
'''},
        {"ps4-train-test": 4.5},
    ),
    "ignores the clipped gradients": (
        {"ps4-train": '''
def train(parameters, gradient, clip, batches, rate, mu):
    path, norms = [parameters], []
    v = {name: np.zeros_like(array) for name, array in parameters.items()}
    for batch in batches:
        loss, grads = gradient(parameters, batch)
        clipped, norm = clip(grads)
        norms.append(norm)
        if np.isfinite(norm):
            v = {name: mu * v[name] + grads[name] for name in grads}
            parameters = {name: parameters[name] - rate * v[name] for name in grads}
        path.append(parameters)
    return path, norms
'''},
        {"ps4-train-test": 2.5},
    ),
    "clips the velocity, after the momentum": (
        {"ps4-train": '''
def train(parameters, gradient, clip, batches, rate, mu):
    path, norms = [parameters], []
    v = {name: np.zeros_like(array) for name, array in parameters.items()}
    for batch in batches:
        loss, grads = gradient(parameters, batch)
        new = {name: mu * v[name] + grads[name] for name in grads}
        clipped, norm = clip(new)
        norms.append(norm)
        if np.isfinite(norm):
            v = new
            parameters = {name: parameters[name] - rate * clipped[name] for name in grads}
        path.append(parameters)
    return path, norms
'''},
        {"ps4-train-test": 3.5},
    ),
    "calls clip for each array": (
        {"ps4-train": '''
def train(parameters, gradient, clip, batches, rate, mu):
    path, norms = [parameters], []
    v = {name: np.zeros_like(array) for name, array in parameters.items()}
    for batch in batches:
        loss, grads = gradient(parameters, batch)
        squares, clipped = 0, {}
        for name in grads:
            one, norm = clip({name: grads[name]})
            clipped[name] = one[name]
            squares += norm**2
        norm = np.sqrt(squares)
        norms.append(norm)
        if np.isfinite(norm):
            v = {name: mu * v[name] + clipped[name] for name in grads}
            parameters = {name: parameters[name] - rate * v[name] for name in grads}
        path.append(parameters)
    return path, norms
'''},
        {"ps4-train-test": 2.5},
    ),
    "stops at the first norm that is not finite": (
        {"ps4-train": '''
def train(parameters, gradient, clip, batches, rate, mu):
    path, norms = [parameters], []
    v = {name: np.zeros_like(array) for name, array in parameters.items()}
    for batch in batches:
        loss, grads = gradient(parameters, batch)
        grads, norm = clip(grads)
        norms.append(norm)
        if not np.isfinite(norm):
            break
        v = {name: mu * v[name] + grads[name] for name in grads}
        parameters = {name: parameters[name] - rate * v[name] for name in grads}
        path.append(parameters)
    return path, norms
'''},
        {"ps4-train-test": 4},
    ),
    "plain descent, and a bad norm is not noticed": (
        {"ps4-train": '''
def train(parameters, gradient, clip, batches, rate, mu):
    path, norms = [parameters], []
    for batch in batches:
        loss, grads = gradient(parameters, batch)
        grads, norm = clip(grads)
        norms.append(norm)
        parameters = {name: parameters[name] - rate * grads[name] for name in grads}
        path.append(parameters)
    return path, norms
'''},
        {"ps4-train-test": 3},
    ),
    "a skipped step sets the velocity to 0": (
        {"ps4-train": '''
def train(parameters, gradient, clip, batches, rate, mu):
    path, norms = [parameters], []
    v = {name: np.zeros_like(array) for name, array in parameters.items()}
    for batch in batches:
        loss, grads = gradient(parameters, batch)
        grads, norm = clip(grads)
        norms.append(norm)
        if np.isfinite(norm):
            v = {name: mu * v[name] + grads[name] for name in grads}
            parameters = {name: parameters[name] - rate * v[name] for name in grads}
        else:
            v = {name: np.zeros_like(array) for name, array in parameters.items()}
        path.append(parameters)
    return path, norms
'''},
        {"ps4-train-test": 4.5},
    ),
    "forgets the slope everywhere": (
        {"ps4-cliff": '''
def error_signals(w, h, y):
    T, B = len(h) - 1, len(y)
    delta = np.zeros((T, B))
    delta[-1] = (h[-1] - y) / B
    for t in range(T - 1, 0, -1):
        delta[t - 1] = delta[t] * w
    return delta
''' + COLLECT + MEDIAN},
        {"ps4-cliff-test": 3.5},
    ),
    "forgets the slope on the way back": (
        {"ps4-cliff": '''
def error_signals(w, h, y):
    T, B = len(h) - 1, len(y)
    delta = np.zeros((T, B))
    delta[-1] = (h[-1] - y) * (1 - h[-1] ** 2) / B
    for t in range(T - 1, 0, -1):
        delta[t - 1] = delta[t] * w
    return delta
''' + COLLECT + MEDIAN},
        {"ps4-cliff-test": 4.5},
    ),
    "takes the slope at the wrong step": (
        {"ps4-cliff": '''
def error_signals(w, h, y):
    T, B = len(h) - 1, len(y)
    delta = np.zeros((T, B))
    delta[-1] = (h[-1] - y) * (1 - h[-1] ** 2) / B
    for t in range(T - 1, 0, -1):
        delta[t - 1] = delta[t] * w * (1 - h[t + 1] ** 2)
    return delta
''' + COLLECT + MEDIAN},
        {"ps4-cliff-test": 4.5},
    ),
    "forgets the mean over the batch": (
        {"ps4-cliff": '''
def error_signals(w, h, y):
    T = len(h) - 1
    delta = np.zeros((T, len(y)))
    delta[-1] = (h[-1] - y) * (1 - h[-1] ** 2)
    for t in range(T - 1, 0, -1):
        delta[t - 1] = delta[t] * w * (1 - h[t] ** 2)
    return delta
''' + COLLECT + MEDIAN},
        {"ps4-cliff-test": 5.5},
    ),
    "h_t in the place of h_{t-1}": (
        {"ps4-cliff": ERROR_SIGNALS + '''
def collect(delta, h):
    return np.sum(delta * h[1:]), np.sum(delta)
''' + MEDIAN},
        {"ps4-cliff-test": 5},
    ),
    "means over the steps, and the mean for the median": (
        {"ps4-cliff": ERROR_SIGNALS + '''
def collect(delta, h):
    return np.mean(delta * h[:-1]), np.mean(delta)


def median_threshold(losses, norms, above):
    return np.mean(norms[(losses > above) & np.isfinite(norms)])
'''},
        {"ps4-cliff-test": 4},
    ),
    "a threshold from all steps, inf and NaN among them": (
        {"ps4-cliff": ERROR_SIGNALS + COLLECT + '''

def median_threshold(losses, norms, above):
    return np.median(norms)
'''},
        {"ps4-cliff-test": 4.5},
    ),
    "only the way back": (
        {"ps4-cliff": ERROR_SIGNALS},
        {"ps4-cliff-test": 2.5},
    ),
}
