"""Wrong and partial answers to problem set 6 and their marks, written as `problem_sets.wrong_answers` says."""

ROOT = "s = np.sqrt(2 / (1 + k[l] ** 2))\n            "

# Another right program: unit by unit, with other names, and with other formulas that say the same.
RIGHT = {
    "ps6-leaks": '''
import math


def bend(a, leak):
    stretch = math.sqrt(2) / math.sqrt(1 + leak * leak)
    return stretch * a if a > 0 else stretch * leak * a


def forward(W, k, x):
    out, states, last = {}, {0: np.array(x)}, max(W)
    for layer in sorted(W):
        out[layer] = np.einsum("ij,bj->bi", W[layer], states[layer - 1])
        states[layer] = out[layer].copy() if layer == last else np.vectorize(bend)(out[layer], k[layer])
    return out, states


def backward(W, k, z, h, dh):
    signal, of_weights, of_leaks, last = {}, {}, {}, max(W)
    from_above = np.array(dh)
    for layer in sorted(W, reverse=True):
        signal[layer] = from_above.copy()
        if layer < last:
            leak, total = float(k[layer]), 0.0
            for b, i in np.ndindex(z[layer].shape):
                a, e = z[layer][b, i], from_above[b, i]
                stretch = math.sqrt(2 / (1 + leak**2))
                total += e * a * (-math.sqrt(2) * leak if a > 0 else math.sqrt(2)) / (1 + leak**2) ** 1.5
                signal[layer][b, i] = e * stretch * (1 if a > 0 else leak)
            of_leaks[layer] = total
        of_weights[layer] = sum(np.outer(d, s) for d, s in zip(signal[layer], h[layer - 1]))
        from_above = np.array([W[layer].T @ d for d in signal[layer]])
    return signal, of_weights, of_leaks
''',
    "ps6-variances": '''
def kept(layer, k):
    return 0.5 + 0.5 * k[layer] ** 2 if layer in k else 1.0


def variances(sizes, k, rule):
    found = {}
    for l, (a, b) in enumerate(zip(sizes[:-1], sizes[1:]), start=1):
        if rule == "fan-in":
            found[l] = 1 / a
        elif rule == "fan-out":
            found[l] = 1 / b
        elif rule == "average":
            found[l] = 2 / (a + b)
        else:
            found[l] = (a * b) ** -0.5
        found[l] /= kept(l - 1, k)
    return found


def mean_squares(sizes, v, k, m_0, p_n):
    n = len(v)
    z = {l: m_0 * np.prod([sizes[j - 1] * v[j] * kept(j - 1, k) for j in range(1, l + 1)]) for l in v}
    delta = {l: p_n * np.prod([sizes[j] * v[j] * kept(j - 1, k) for j in range(l + 1, n + 1)]) for l in v}
    return {"z": z, "delta": delta, "dW": {l: z[l] * delta[l] / sizes[l - 1] / v[l] for l in v}}
''',
    "ps6-norm-back": '''
def norm_back(x, alpha, gamma, dy):
    H, dx, dgamma, dalpha = len(gamma), np.zeros(x.shape), 0 * gamma, 0.0
    for b in range(len(x)):
        u = x[b] - alpha * np.mean(x[b])
        r = (np.mean(u * u) + 1e-5) ** 0.5
        J = np.diag(gamma) @ (np.eye(H) / r - np.outer(u, u) / (H * r**3))  # dy/du
        dx[b] = (J @ (np.eye(H) - alpha / H * np.ones((H, H)))).T @ dy[b]
        dgamma += dy[b] * u / r
        dalpha += dy[b] @ J @ (-np.mean(x[b]) * np.ones(H))
    return dx, dgamma, dalpha


def by_blocks(x, W, alpha, gamma, g):
    def parts(l):
        """Of dL/dx_l, as a list."""
        if l > len(x):
            return [np.array(g)]
        behind = parts(l + 1)
        out = norm(x[l - 1], alpha[l - 1], gamma[l - 1])[0]
        through = [norm_back(x[l - 1], alpha[l - 1], gamma[l - 1], np.where(out > 0, part @ W[l - 1], 0))[0] for part in behind]
        return [behind[0]] + [around + part for around, part in zip(behind[1:], through)] + [through[-1]]
    return parts(1)
''',
}

WRONG = {
    # Question 1.
    "sees the leak in one place alone": (
        {"ps6-leaks": {"dh * (by_leak + by_scale)": "dh * by_leak"}},
        {"ps6-leaks-test": 5},
    ),
    "forgets the scale where the leak is seen first": (
        {"ps6-leaks": {"by_leak = s * np": "by_leak = np"}},
        {"ps6-leaks-test": 5},
    ),
    "the wrong sign of the scale's derivative": (
        {"ps6-leaks": {"by_scale = -k": "by_scale = k"}},
        {"ps6-leaks-test": 5},
    ),
    "the scale's derivative without a factor, since the units' outputs are not scaled": (
        {"ps6-leaks": {"(1 + k[l] ** 2) * h[l]": "(1 + k[l] ** 2) * z[l]"}},
        {"ps6-leaks-test": 5},
    ),
    "forgets the root of the scale, and differentiates what is left": (
        {"ps6-leaks": {ROOT + "h[l]": "s = 2 / (1 + k[l] ** 2)\n            h[l]", ROOT + "dh": "s = 2 / (1 + k[l] ** 2)\n            dh",
                       "by_scale = -k": "by_scale = -2 * k"}},
        {"ps6-leaks-test": 5.5},
    ),
    "forgets the square in the scale, which has no root at a leak below -1, and differentiates that": (
        {"ps6-leaks": {ROOT + "h[l]": "s = np.sqrt(2 / (1 + k[l]))\n            h[l]", ROOT + "dh": "s = np.sqrt(2 / (1 + k[l]))\n            dh",
                       "-k[l] / (1 + k[l] ** 2) * h[l]": "-0.5 / (1 + k[l]) * h[l]"}},
        {"ps6-leaks-test": 5.5},
    ),
    "forgets the square in the scale of the way forwards alone": (
        {"ps6-leaks": {ROOT + "h[l]": "s = np.sqrt(2 / (1 + k[l]))\n            h[l]"}},
        {"ps6-leaks-test": 5.5},
    ),
    "leaves out the scale everywhere": (
        {"ps6-leaks": {ROOT + "h[l]": "s = 1\n            h[l]", ROOT + "dh": "s = 1\n            dh", "dh * (by_leak + by_scale)": "dh * by_leak"}},
        {"ps6-leaks-test": 4.5},
    ),
    "the larger of z and 0 in the gradient of the leak": (
        {"ps6-leaks": {"by_leak = s * np.minimum": "by_leak = s * np.maximum"}},
        {"ps6-leaks-test": 5},
    ),
    "the gradient of the leak from delta": (
        {"ps6-leaks": {"np.sum(dh * (by": "np.sum(delta[l] * (by"}},
        {"ps6-leaks-test": 5},
    ),
    "the slope of a ReLU": (
        {"ps6-leaks": {"np.where(z[l] > 0, 1, k[l])": "(z[l] > 0)"}},
        {"ps6-leaks-test": 5.5},
    ),
    "forgets the scale in the slope": (
        {"ps6-leaks": {"dh * s * np.where": "dh * np.where"}},
        {"ps6-leaks-test": 5.5},
    ),
    "leaves out the scale on the way back alone": (
        {"ps6-leaks": {ROOT + "dh": "s = 1\n            dh"}},
        {"ps6-leaks-test": 5.5},
    ),
    "leaves out the scale on the way back alone, and its derivative": (
        {"ps6-leaks": {ROOT + "dh": "s = 1\n            dh", "dh * (by_leak + by_scale)": "dh * by_leak"}},
        {"ps6-leaks-test": 4.5},
    ),
    "forgets the root of the scale on the way back alone": (
        {"ps6-leaks": {ROOT + "dh": "s = 2 / (1 + k[l] ** 2)\n            dh"}},
        {"ps6-leaks-test": 5.5},
    ),
    "leaves out the scale in the gradient of the leak": (
        {"ps6-leaks": {"np.sum(dh * (by_leak + by_scale))": "np.sum(dh * np.minimum(z[l], 0))"}},
        {"ps6-leaks-test": 5},
    ),
    "no slope at all": (
        {"ps6-leaks": {"delta[l] = dh * s * np.where(z[l] > 0, 1, k[l])": "delta[l] = dh"}},
        {"ps6-leaks-test": 5},
    ),
    "no slope at all, and a gradient of the leak that is a constant": (
        {"ps6-leaks": {"delta[l] = dh * s * np.where(z[l] > 0, 1, k[l])": "delta[l] = dh", "np.sum(dh * (by_leak + by_scale))": "1.7"}},
        {"ps6-leaks-test": 2.5},
    ),
    "does not transpose the weights on the way back": (
        {"ps6-leaks": {"delta[l + 1] @ W[l + 1]": "delta[l + 1] @ W[l + 1].T"}},
        {"ps6-leaks-test": 5},
    ),
    "means over the batch in place of sums": (
        {"ps6-leaks": {"np.sum(dh * (by_leak + by_scale))": "np.sum(dh * (by_leak + by_scale)) / len(dh)", "delta[l].T @ h[l - 1]": "delta[l].T @ h[l - 1] / len(dh)"}},
        {"ps6-leaks-test": 5.5},
    ),
    "means over the batch in dW alone": (
        {"ps6-leaks": {"delta[l].T @ h[l - 1]": "delta[l].T @ h[l - 1] / len(dh)"}},
        {"ps6-leaks-test": 5.5},
    ),
    "dW from z, not from what the units hand on": (
        {"ps6-leaks": {"delta[l].T @ h[l - 1]": "delta[l].T @ (z | {0: h[0]})[l - 1]"}},
        {"ps6-leaks-test": 5.5},
    ),
    "the gradient of each unit's leak, not of the layer's": (
        {"ps6-leaks": {"np.sum(dh * (by_leak + by_scale))": "np.sum(dh * (by_leak + by_scale), axis=0)"}},
        {"ps6-leaks-test": 5.5},
    ),
    "a slope in the last layer": (
        {"ps6-leaks": {"delta, dW, dk = {n: dh}": "delta, dW, dk = {n: dh * np.where(z[n] > 0, 1, k[n - 1])}"}},
        {"ps6-leaks-test": 5.5},
    ),
    "changes the h that it is given": (
        {"ps6-leaks": {"by_scale = -k[l] / (1 + k[l] ** 2) * h[l]": "h[l] *= -k[l] / (1 + k[l] ** 2)\n            by_scale = h[l]"}},
        {"ps6-leaks-test": 5.5},
    ),
    "the forward pass of a leaky ReLU that bends at the wrong side": (
        {"ps6-leaks": {"np.maximum(z[l], 0) + k[l] * np.minimum(z[l], 0)": "np.minimum(z[l], 0) + k[l] * np.maximum(z[l], 0)"}},
        {"ps6-leaks-test": 5},
    ),
    "the larger of z and k z, which is another function where k is above 1": (
        {"ps6-leaks": {"(np.maximum(z[l], 0) + k[l] * np.minimum(z[l], 0))": "np.maximum(z[l], k[l] * z[l])"}},
        {"ps6-leaks-test": 5.5},
    ),
    "the size of the leak": (
        {"ps6-leaks": {"k[l] * np.minimum(z[l], 0)": "abs(k[l]) * np.minimum(z[l], 0)"}},
        {"ps6-leaks-test": 5.5},
    ),
    "the leak where z lies above k z, in the slope": (
        {"ps6-leaks": {"np.where(z[l] > 0, 1, k[l])": "np.where(z[l] > k[l] * z[l], 1, k[l])"}},
        {"ps6-leaks-test": 5},
    ),
    "the weights of the layer below on the way back": (
        {"ps6-leaks": {"delta[l + 1] @ W[l + 1]": "delta[l + 1] @ W[l]"}},
        {"ps6-leaks-test": 5},
    ),
    "the mean over units and examples in the gradient of the leak": (
        {"ps6-leaks": {"np.sum(dh * (by": "np.mean(dh * (by"}},
        {"ps6-leaks-test": 5.5},
    ),
    "the gradient of the leak without the error": (
        {"ps6-leaks": {"np.sum(dh * (by_leak + by_scale))": "np.sum(by_leak + by_scale)"}},
        {"ps6-leaks-test": 4.5},
    ),
    "the gradient of the leak without the error, and without the scale's derivative": (
        {"ps6-leaks": {"np.sum(dh * (by_leak + by_scale))": "np.sum(by_leak)"}},
        {"ps6-leaks-test": 3.5},
    ),
    "the leak on either side, whose derivative is z": (
        {"ps6-leaks": {"s * (np.maximum(z[l], 0) + k[l] * np.minimum(z[l], 0))": "k[l] * z[l]", "dh * s * np.where(z[l] > 0, 1, k[l])": "dh * k[l]",
                       "np.sum(dh * (by_leak + by_scale))": "np.sum(dh * z[l])"}},
        {"ps6-leaks-test": 3},
    ),
    # Question 2.
    "forgets the half in E[h^2], everywhere": (
        {"ps6-variances": {"else (1 + k[l - 1] ** 2) / 2": "else 1 + k[l - 1] ** 2", "m[l] = (1 + k[l] ** 2) / 2": "m[l] = (1 + k[l] ** 2)",
                           "delta[l] = (1 + k[l] ** 2) / 2": "delta[l] = (1 + k[l] ** 2)"}},
        {"ps6-variances-test": 4.5},
    ),
    "forgets the half in the prediction alone": (
        {"ps6-variances": {"m[l] = (1 + k[l] ** 2) / 2": "m[l] = (1 + k[l] ** 2)", "delta[l] = (1 + k[l] ** 2) / 2": "delta[l] = (1 + k[l] ** 2)"}},
        {"ps6-variances-test": 4.5},
    ),
    "the square of the mean slope for the mean square": (
        {"ps6-variances": {"else (1 + k[l - 1] ** 2) / 2": "else ((1 + k[l - 1]) / 2) ** 2", "m[l] = (1 + k[l] ** 2) / 2": "m[l] = ((1 + k[l]) / 2) ** 2",
                           "delta[l] = (1 + k[l] ** 2) / 2": "delta[l] = ((1 + k[l]) / 2) ** 2"}},
        {"ps6-variances-test": 4.5},
    ),
    "the gain in place of its square": (
        {"ps6-variances": {"1 / (kept * width)": "1 / (np.sqrt(kept) * width)"}},
        {"ps6-variances-test": 4.5},
    ),
    "a constant factor on the variances": (
        {"ps6-variances": {"1 / (kept * width)": "2 / (kept * width)"}},
        {"ps6-variances-test": 4.5},
    ),
    "the width of the first layer at all layers": (
        {"ps6-variances": {"1 / (kept * width)": "1 / (kept * sizes[0])"}},
        {"ps6-variances-test": 4},
    ),
    "a constant for the variances": (
        {"ps6-variances": {"1 / (kept * width)": "0.02"}},
        {"ps6-variances-test": 3},
    ),
    "zeros for the variances": (
        {"ps6-variances": {"1 / (kept * width)": "0.0"}},
        {"ps6-variances-test": 3},
    ),
    "the standard deviation in place of the variance": (
        {"ps6-variances": {"1 / (kept * width)": "1 / np.sqrt(kept * width)"}},
        {"ps6-variances-test": 4},
    ),
    "the leak of the layer whose weights they are": (
        {"ps6-variances": {"1 if l == 1 else (1 + k[l - 1] ** 2) / 2": "(1 + k.get(l, 1) ** 2) / 2"}},
        {"ps6-variances-test": 4.5},
    ),
    "takes x for the output of ReLUs": (
        {"ps6-variances": {"1 if l == 1": "0.5 if l == 1"}},
        {"ps6-variances-test": 4.5},
    ),
    "takes fan-in for fan-out": (
        {"ps6-variances": {'"fan-in": n_in, "fan-out": n_out': '"fan-in": n_out, "fan-out": n_in'}},
        {"ps6-variances-test": 4.5},
    ),
    "Xavier without the 2": (
        {"ps6-variances": {"(n_in + n_out) / 2": "(n_in + n_out)"}},
        {"ps6-variances-test": 4.5},
    ),
    "the variances of the layer below on the way back": (
        {"ps6-variances": {"sizes[l + 1] * v[l + 1]": "sizes[l + 1] * v[l]"}},
        {"ps6-variances-test": 4.5},
    ),
    "the fan-in on the way back": (
        {"ps6-variances": {"sizes[l + 1] * v[l + 1]": "sizes[l] * v[l + 1]"}},
        {"ps6-variances-test": 4.5},
    ),
    "the fan-out on the way forwards": (
        {"ps6-variances": {"z[l] = sizes[l - 1]": "z[l] = sizes[l]"}},
        {"ps6-variances-test": 4.5},
    ),
    "forgets the leak in E[h^2]": (
        {"ps6-variances": {"m[l] = (1 + k[l] ** 2) / 2 * z[l]": "m[l] = z[l]"}},
        {"ps6-variances-test": 4.5},
    ),
    "takes the mean square of a ReLU on the way forwards": (
        {"ps6-variances": {"m[l] = (1 + k[l] ** 2) / 2 * z[l]": "m[l] = z[l] / 2"}},
        {"ps6-variances-test": 4},
    ),
    "the leak of the layer above on the way back": (
        {"ps6-variances": {"delta[l] = (1 + k[l] ** 2)": "delta[l] = (1 + k.get(l + 1, 1) ** 2)"}},
        {"ps6-variances-test": 4.5},
    ),
    "no leak on the way back": (
        {"ps6-variances": {"delta[l] = (1 + k[l] ** 2) / 2 * ": "delta[l] = "}},
        {"ps6-variances-test": 4.5},
    ),
    "takes z for h in the gradient of the weights": (
        {"ps6-variances": {"delta[l] * m[l - 1]": "delta[l] * (z | {0: m_0})[l - 1]"}},
        {"ps6-variances-test": 4.5},
    ),
    "the h of the same layer in the gradient of the weights": (
        {"ps6-variances": {"delta[l] * m[l - 1]": "delta[l] * (m | {n: z[n]})[l]"}},
        {"ps6-variances-test": 4},
    ),
    # Question 3.
    "trusts layer normalisation's formula, with alpha before the mean": (
        {"ps6-norm-back": {"dx = du - alpha * du.mean(axis=1, keepdims=True)": "dx = du - alpha * g.mean(axis=1, keepdims=True) / r"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "takes out the whole mean at every alpha": (
        {"ps6-norm-back": {"dx = du - alpha * du": "dx = du - du"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "holds the mean fixed": (
        {"ps6-norm-back": {"dx = du - alpha * du.mean(axis=1, keepdims=True)": "dx = du"}},
        {"ps6-norm-back-test": 4},
    ),
    "holds r fixed": (
        {"ps6-norm-back": {"(g - x_hat * (g * x_hat).mean(axis=1, keepdims=True)) / r": "g / r"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "forgets to divide by r": (
        {"ps6-norm-back": {"keepdims=True)) / r": "keepdims=True))"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "a sum for the mean in the part along x_hat": (
        {"ps6-norm-back": {"(g * x_hat).mean(": "(g * x_hat).sum("}},
        {"ps6-norm-back-test": 4.5},
    ),
    "forgets gamma": (
        {"ps6-norm-back": {"g = dy * gamma": "g = dy"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "means over the batch for gamma and alpha": (
        {"ps6-norm-back": {"np.sum(dy * x_hat, axis=0)": "np.mean(dy * x_hat, axis=0)", "-np.sum(x.mean": "-np.mean(x.mean"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "the wrong sign of dalpha": (
        {"ps6-norm-back": {"dalpha = -np": "dalpha = np"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "the gradient of alpha through the mean of x_hat alone, as if r stood still": (
        {"ps6-norm-back": {"x.mean(axis=1) * du.sum(axis=1)": "x.mean(axis=1) * (g / r).sum(axis=1)"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "the weights of a block transposed": (
        {"ps6-norm-back": {"part @ W[l]": "part @ W[l].T"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "forgets the slope of ReLU": (
        {"ps6-norm-back": {" * (y > 0)": ""}},
        {"ps6-norm-back-test": 4.5},
    ),
    "the slope by the sign of x": (
        {"ps6-norm-back": {"(y > 0)": "(x[l] > 0)"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "the first block first": (
        {"ps6-norm-back": {"range(n - 1, -1, -1)": "range(n)"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "forgets the first block": (
        {"ps6-norm-back": {"range(n - 1, -1, -1)": "range(n - 1, 0, -1)"}},
        {"ps6-norm-back-test": 4},
    ),
    "forgets the first block, and the weights of all": (
        {"ps6-norm-back": {"range(n - 1, -1, -1)": "range(n - 1, 0, -1)", "part @ W[l]": "part"}},
        {"ps6-norm-back-test": 3.5},
    ),
    "does not sort": (
        {"ps6-norm-back": {"parts[1:] += np": "parts[:-1] += np"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "one row too few": (
        {"ps6-norm-back": {"return parts": "return parts[:-1]"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "the chain without the identity": (
        {"ps6-norm-back": {"parts[1:] += np.array(through)": "parts[1:], parts[0] = np.array(through), 0"}},
        {"ps6-norm-back-test": 3.5},
    ),
    "multiplies into the error that came in": (
        {"ps6-norm-back": {"    g = dy * gamma\n": "    start = dy.copy()\n    dy *= gamma\n    g = dy\n", "np.sum(dy * x_hat, axis=0)": "np.sum(start * x_hat, axis=0)"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "x for x_hat in what is taken out": (
        {"ps6-norm-back": {"(g - x_hat * (g": "(g - x * (g"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "adds to the rows one after the other, so that a block is taken more than once": (
        {"ps6-norm-back": {"through = [norm_back(x[l], alpha[l], gamma[l], (part @ W[l]) * (y > 0))[0] for part in parts[:-1]]\n        parts[1:] += np.array(through)":
                           "for j in range(n):\n            parts[j + 1] += norm_back(x[l], alpha[l], gamma[l], (parts[j] @ W[l]) * (y > 0))[0]"}},
        {"ps6-norm-back-test": 4.5},
    ),
    "has done only question 1": (
        dict.fromkeys(["ps6-variances", "ps6-norm-back"]),
        {"ps6-variances-test": 0, "ps6-norm-back-test": 0},
    ),
    "catches what goes wrong and returns zeros": (
        {"ps6-leaks": '''
def forward(W, k, x):
    try:
        raise ValueError
    except ValueError:
        n = len(W)
        return {l: np.zeros((len(x), len(W[l]))) for l in W}, {0: x} | {l: np.zeros((len(x), len(W[l]))) for l in W}


def backward(W, k, z, h, dh):
    try:
        raise ValueError
    except ValueError:
        return {l: 0 * z[l] for l in W}, {l: 0 * W[l] for l in W}, dict.fromkeys(k, 0.0)
'''},
        {"ps6-leaks-test": 0},
    ),
    "the book's package": (
        {"ps6-norm-back": '''
from gradients.layers import LayerNorm


def norm_back(x, alpha, gamma, dy):
    layer = LayerNorm(x.shape[1])
    layer.forward(x)
    return layer.backward(dy * gamma), np.sum(dy, axis=0), 0.0


def by_blocks(x, W, alpha, gamma, g):
    return np.array([g] * (len(x) + 1))
'''},
        {"ps6-norm-back-test": 0},
    ),
}


# Answers that ignore what they must depend on, but whose numbers fit each other.
IGNORES = {
    "no error behind the units, and the leak times it": (
        {"ps6-leaks": """
def forward(W, k, x):
    return {l: np.zeros((len(x), len(W[l]))) for l in W}, {0: x} | {l: np.zeros((len(x), len(W[l]))) for l in W}


def backward(W, k, z, h, dh):
    n = len(W)
    delta = {l: np.zeros(z[l].shape) for l in W} | {n: dh}
    return delta, {l: np.ones(W[l].shape) for l in W}, {l: 0.0 * k[l] for l in k}
"""},
        {"ps6-leaks-test": 0},
    ),
    "constants, and all right from them": (
        {"ps6-leaks": '''
def forward(W, k, x):
    z = {l: np.ones((len(x), len(W[l]))) * np.arange(1.0, 1 + len(W[l])) for l in W}
    return z, {0: x} | z


def backward(W, k, z, h, dh):
    delta = {l: np.ones(z[l].shape) * np.arange(1.0, 1 + z[l].shape[1]) for l in W}
    return delta, {l: delta[l].T @ h[l - 1] for l in W}, {l: float(np.sum(delta[l])) for l in k}
''',
         "ps6-variances": '''
def variances(sizes, k, rule):
    return {l: 0.01 * l for l in range(1, len(sizes))}


def mean_squares(sizes, v, k, m_0, p_n):
    z = {l: 1.0 + l for l in v}
    delta = {l: 3.0 - 0.1 * l for l in v}
    return {"z": z, "delta": delta, "dW": {l: delta[l] * (m_0 if l == 1 else z[l - 1] * (1 + k[l - 1] ** 2) / 2) for l in v}}
''',
         "ps6-norm-back": '''
def norm_back(x, alpha, gamma, dy):
    du = np.arange(1.0, 1 + x.size).reshape(x.shape)
    return du - alpha * du.mean(axis=1, keepdims=True), du.sum(axis=0), -np.sum(x.mean(axis=1) * du.sum(axis=1))


def by_blocks(x, W, alpha, gamma, g):
    F = np.arange(1.0, 1 + g.size).reshape(g.shape)
    return np.stack([g, len(x) * F] + [F] * (len(x) - 1))
'''},
        {"ps6-leaks-test": 0, "ps6-variances-test": 0, "ps6-norm-back-test": 0},
    ),
    "a forward pass by which nothing follows for the leak, and zeros": (
        {"ps6-leaks": """
def forward(W, k, x):
    z = {1: x @ W[1].T}
    h = {0: x, 1: z[1] * -2**0.5 * np.arcsinh(k[1])}
    return z, h


def backward(W, k, z, h, dh):
    delta = {l: 0 * z[l] for l in W}
    return delta, {l: 0 * W[l] for l in W}, dict.fromkeys(k, 0.0)
"""},
        {"ps6-leaks-test": 0},
    ),
    "half of everything, and zeros": (
        {"ps6-variances": """
def variances(sizes, k, rule):
    return {l: 0.5 for l in range(1, len(sizes))}


def mean_squares(sizes, v, k, m_0, p_n):
    z = {l: m_0 / 2**l for l in v}
    return {"z": z, "delta": dict.fromkeys(v, 0.0), "dW": dict.fromkeys(v, 0.0)}
"""},
        {"ps6-variances-test": 0},
    ),
    "rows that are all of one value, less their mean": (
        {"ps6-norm-back": """
def norm_back(x, alpha, gamma, dy):
    dx = (1 - alpha) * (dy * x * (1 + x)).mean(axis=1, keepdims=True) * np.ones(x.shape)
    return dx, 0 * gamma, 0.0


def by_blocks(x, W, alpha, gamma, g):
    return np.zeros((len(x) + 1, *g.shape))
"""},
        {"ps6-norm-back-test": 0},
    ),
    "the product of the errors and the inputs, without its mean": (
        {"ps6-norm-back": '''
def norm_back(x, alpha, gamma, dy):
    du = (x - alpha * x.mean(axis=1, keepdims=True)) * dy
    return du - du.mean(axis=1, keepdims=True), np.zeros(x.shape[1]), 0.0


def by_blocks(x, W, alpha, gamma, g):
    return np.stack([g] * (len(x) + 1))
'''},
        {"ps6-norm-back-test": 0},
    ),
    "the errors, handed on": (
        {"ps6-leaks": '''
def forward(W, k, x):
    h = {0: x}
    for l in W:
        h[l] = h[l - 1] @ W[l].T
    return {l: h[l] for l in W}, h


def backward(W, k, z, h, dh):
    delta = {l: np.resize(dh, z[l].shape) for l in W}
    return delta, {l: np.ones(W[l].shape) for l in W}, {l: float(np.sum(delta[l])) for l in k}
''',
         "ps6-variances": '''
def variances(sizes, k, rule):
    return {l: 1 / sum(sizes) for l in range(1, len(sizes))}


def mean_squares(sizes, v, k, m_0, p_n):
    return {"z": dict.fromkeys(v, m_0), "delta": dict.fromkeys(v, p_n), "dW": dict.fromkeys(v, m_0 * p_n)}
''',
         "ps6-norm-back": '''
def norm_back(x, alpha, gamma, dy):
    return dy, dy.sum(axis=0), alpha


def by_blocks(x, W, alpha, gamma, g):
    return np.stack([g] * (len(x) + 1))
'''},
        {"ps6-leaks-test": 0, "ps6-variances-test": 0, "ps6-norm-back-test": 0},
    ),
}
