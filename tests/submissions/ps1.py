"""Wrong and partial answers to problem set 1, and the marks that they earn: what a fair teacher would give."""

WRONG = {
    "forgets the slope of tanh": (
        {"ps1-two-paths": '''
def by_hand(w1, w2, w3, b1, b2, x, y):
    h = np.tanh(w1 * x + b1)
    do = w2 * h + w3 * x + b2 - y
    dz = do * w2
    return {"w1": dz * x, "w2": do * h, "w3": do * x, "b1": dz, "b2": do, "x": dz * w1 + do * w3}
'''},
        {"ps1-two-paths-test": 3},
    ),
    "takes one path of x": (
        {"ps1-two-paths": '''
def by_hand(w1, w2, w3, b1, b2, x, y):
    h = np.tanh(w1 * x + b1)
    do = w2 * h + w3 * x + b2 - y
    dz = do * w2 * (1 - h**2)
    return {"w1": dz * x, "w2": do * h, "w3": do * x, "b1": dz, "b2": do, "x": dz * w1}
'''},
        {"ps1-two-paths-test": 5},
    ),
    "no slopes in the hidden layers": (
        {"ps1-depth": '''
def backpropagate(W, b, x, y):
    n, h = len(W), {0: x}
    for l in range(1, n + 1):
        z = h[l - 1] @ W[l].T + b[l]
        h[l] = np.tanh(z) if l < n else z
    delta, dW, db = h[n] - y, {}, {}
    for l in range(n, 0, -1):
        dW[l], db[l] = delta.T @ h[l - 1], delta.sum(axis=0)
        delta = delta @ W[l]
    return np.sum((h[n] - y) ** 2) / 2, dW, db
'''},
        {"ps1-depth-test": 2},
    ),
    "a slope in the last layer, too": (
        {"ps1-depth": '''
def backpropagate(W, b, x, y):
    n, h = len(W), {0: x}
    for l in range(1, n + 1):
        z = h[l - 1] @ W[l].T + b[l]
        h[l] = np.tanh(z) if l < n else z
    delta, dW, db = (h[n] - y) * (1 - h[n] ** 2), {}, {}
    for l in range(n, 0, -1):
        dW[l], db[l] = delta.T @ h[l - 1], delta.sum(axis=0)
        if l > 1:
            delta = delta @ W[l] * (1 - h[l - 1] ** 2)
    return np.sum((h[n] - y) ** 2) / 2, dW, db
'''},
        {"ps1-depth-test": 0.5},
    ),
    "the mean over the batch": (
        {"ps1-depth": '''
def backpropagate(W, b, x, y):
    n, B, h = len(W), len(x), {0: x}
    for l in range(1, n + 1):
        z = h[l - 1] @ W[l].T + b[l]
        h[l] = np.tanh(z) if l < n else z
    delta, dW, db = (h[n] - y) / B, {}, {}
    for l in range(n, 0, -1):
        dW[l], db[l] = delta.T @ h[l - 1], delta.sum(axis=0)
        if l > 1:
            delta = delta @ W[l] * (1 - h[l - 1] ** 2)
    return np.sum((h[n] - y) ** 2) / 2 / B, dW, db
'''},
        {"ps1-depth-test": 5},
    ),
    "W not transposed": (
        {"ps1-depth": '''
def backpropagate(W, b, x, y):
    n, h = len(W), {0: x}
    for l in range(1, n + 1):
        z = h[l - 1] @ W[l].T + b[l]
        h[l] = np.tanh(z) if l < n else z
    delta, dW, db = h[n] - y, {}, {}
    for l in range(n, 0, -1):
        dW[l], db[l] = delta.T @ h[l - 1], delta.sum(axis=0)
        if l > 1:
            delta = delta @ W[l].T * (1 - h[l - 1] ** 2)
    return np.sum((h[n] - y) ** 2) / 2, dW, db
'''},
        {"ps1-depth-test": 1.5},
    ),
    "one-sided differences": (
        {"ps1-differences": '''
def central_differences(f, array, eps=1e-5):
    slopes = np.zeros(array.shape)
    for at in np.ndindex(array.shape):
        up = array.copy()
        up[at] += eps
        slopes[at] = (f(up) - f(array)) / eps
    return slopes
'''},
        {"ps1-differences-test": 3},
    ),
    "does not put the entry back": (
        {"ps1-differences": '''
def central_differences(f, array, eps=1e-5):
    slopes = np.zeros(array.shape)
    for at in np.ndindex(array.shape):
        array[at] += eps
        up = f(array)
        array[at] -= 2 * eps
        slopes[at] = (up - f(array)) / (2 * eps)
    return slopes
'''},
        {"ps1-differences-test": 3},
    ),
    "vectors only": (
        {"ps1-differences": '''
def central_differences(f, array, eps=1e-5):
    slopes = np.zeros(array.shape)
    for i in range(len(array)):
        up, down = array.copy(), array.copy()
        up[i] += eps
        down[i] -= eps
        slopes[i] = (f(up) - f(down)) / (2 * eps)
    return slopes
'''},
        {"ps1-differences-test": 3},
    ),
    "the first question alone": (
        {"ps1-depth": '''
def backpropagate(W, b, x, y):
    raise NotImplementedError()
''', "ps1-differences": '''
def central_differences(f, array, eps=1e-5):
    raise NotImplementedError()
'''},
        {"ps1-depth-test": 0, "ps1-differences-test": 0},
    ),
}
