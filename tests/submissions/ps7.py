"""Wrong and partial answers to problem set 7 and their marks, written as `problem_sets.wrong_answers` says."""

# Right, in another style: loops, complex numbers, other names.
IN_ANOTHER_STYLE = {
    "ps7-step-back": """
def step_back(P, gates, x_t, gap, h_before, dh):
    B, H = dh.shape
    D = x_t.shape[1]
    W = {"r": P["W_hh"][:H], "z": P["W_hh"][H:2 * H], "n": P["W_hh"][2 * H:]}
    delta, ways = np.zeros((B, 3, H)), {name: np.zeros((B, H)) for name in ("carry", "by_r", "by_z", "by_n")}
    to_x, to_h = np.zeros((3, H, D)), np.zeros((3, H, H))
    for b in range(B):
        r, z, new, old, time = gates["r"][b], gates["z"][b], gates["h_tilde"][b], h_before[b], gap[b]
        log_slope = time * (1 - z)
        share = np.exp(time * np.log(z))
        n_part = dh[b] * (1 - share - new * new + share * new * new)
        delta[b] = n_part * W["n"].dot(old) * (r - r * r), dh[b] * (old - new) * share * log_slope, n_part
        to_u = [delta[b, 0], delta[b, 1], r * n_part]
        ways["carry"][b] = share * dh[b]
        for k, name in enumerate("rzn"):
            ways["by_" + name][b] = W[name].T.dot(to_u[k])
            to_x[k] += np.outer(delta[b, k], x_t[b])
            to_h[k] += np.outer(to_u[k], old)
    return dict(ways, delta=delta.reshape(B, -1), W_hx=to_x.reshape(-1, D), W_hh=to_h.reshape(-1, H), b_h=delta.sum(axis=0).ravel())
""",
    "ps7-start": """
def start(units, shortest, longest):
    edges = np.linspace(np.log(shortest), np.log(longest), units + 1)
    memories = np.exp((edges[1:] + edges[:-1]) / 2)
    z = 1 - 1 / memories
    return list(memories), [float(np.log(each / (1 - each))) for each in z]
""",
    "ps7-predicted": """
def predicted(lags, T_min, T_max):
    def one(j):
        return ((1 - 1 / T_max) ** (j + 1) - (1 - 1 / T_min) ** (j + 1)) / (j + 1) / (np.log(T_max) - np.log(T_min))

    return [1 - sum(one(i) for i in range(j)) for j in lags], [one(j) for j in lags]
""",
    "ps7-memory": """
def memory(radius, angle, inputs):
    factor, state = radius * np.exp(1j * angle), np.zeros(inputs.shape[1], complex)
    kept = [state]
    for now in inputs:
        state = factor * state + np.sqrt(1 - radius * radius) * now
        kept.append(state)
    return np.stack([np.real(kept), np.imag(kept)], axis=2)
""",
    "ps7-memory-back": """
def memory_back(r, theta, x, h, do):
    factor, states = r * np.exp(1j * theta), h[..., 0] + 1j * h[..., 1]
    signal, found, phase, size = np.zeros(x.shape[1], complex), [], 0.0, 0.0
    for t in reversed(range(len(x))):
        signal = signal + do[t]
        found.insert(0, [[float(z.real), float(z.imag)] for z in signal])
        for z, old in zip(signal, states[t]):
            phase += (z.conjugate() * 1j * factor * old).real
            size += (z.conjugate() * np.exp(1j * theta) * old).real
        signal = signal * factor.conjugate()
    first = np.array(found)[:, :, 0]
    return {"delta": found, "theta": phase, "by_turn": size, "by_scale": -(first * x).sum() * r * (1 - r * r) ** -0.5}
""",
    "ps7-by-lag": """
def by_lag(r, theta, x, g):
    parts = []
    for n in range(len(x)):
        parts.append((1 - r * r) ** 0.5 * (1j * n * (r * np.exp(1j * theta)) ** n).real * sum(a * b for a, b in zip(x[len(x) - 1 - n], g)))
    return parts
""",
    "ps7-train": """
def train(x, y, nu, theta, rates, steps):
    def loss_and_slopes(nu, theta):
        r = np.exp(-np.exp(nu))
        states = memory(r, theta, x)
        error = states[1:, :, 0] - y
        found = memory_back(r, theta, x, states, error / error.size)
        return (error**2).mean() / 2, np.array([-(found["by_turn"] + found["by_scale"]) * r * np.exp(nu), found["theta"]])

    path, losses = [np.array([nu, theta])], []
    while True:
        loss, slopes = loss_and_slopes(*path[-1])
        losses.append(loss)
        if len(losses) > steps:
            return path, losses
        path.append(path[-1] - np.array(rates) * slopes)
""",
}

WRONG = {
    "copies chapter 10 without the clock": (
        {"ps7-step-back": {"kept = z**times": "kept = z", "times * kept": "kept"}},
        {"ps7-step-back-test": 3},
    ),
    "forgets the clock in what is kept alone": (
        {"ps7-step-back": {"kept = z**times": "kept = z"}},
        {"ps7-step-back-test": 4},
    ),
    "forgets that the time is a factor of the power's slope": (
        {"ps7-step-back": {"times * kept * (1 - z)": "kept * (1 - z)"}},
        {"ps7-step-back-test": 4},
    ),
    "takes what is kept for the gate in the slope of the sigmoid": (
        {"ps7-step-back": {"times * kept * (1 - z)": "times * kept * (1 - kept)"}},
        {"ps7-step-back-test": 4},
    ),
    "the wrong sign at the update gate": (
        {"ps7-step-back": {"(h_before - h_tilde)": "(h_tilde - h_before)"}},
        {"ps7-step-back-test": 4.5},
    ),
    "forgets the slope of tanh": (
        {"ps7-step-back": {" * (1 - h_tilde**2)": ""}},
        {"ps7-step-back-test": 4.5},
    ),
    "forgets the slope of the reset gate": (
        {"ps7-step-back": {" * r * (1 - r)": ""}},
        {"ps7-step-back-test": 4.5},
    ),
    "forgets the reset gate on the way through u": (
        {"ps7-step-back": {"delta_z, r * delta_n]": "delta_z, delta_n]", "(r * delta_n) @ W_n": "delta_n @ W_n"}},
        {"ps7-step-back-test": 4.5},
    ),
    "forgets the reset gate in the gradient of W_hh alone": (
        {"ps7-step-back": {"delta_z, r * delta_n]": "delta_z, delta_n]"}},
        {"ps7-step-back-test": 4.5},
    ),
    "does not transpose on the way to the state": (
        {"ps7-step-back": {"delta_r @ W_r": "delta_r @ W_r.T", "delta_z @ W_z": "delta_z @ W_z.T", "(r * delta_n) @ W_n": "(r * delta_n) @ W_n.T"}},
        {"ps7-step-back-test": 4},
    ),
    "the mean over the batch": (
        {"ps7-step-back": {"delta.T @ x_t": "delta.T @ x_t / len(x_t)", "seen.T @ h_before": "seen.T @ h_before / len(x_t)", "delta.sum(": "delta.mean("}},
        {"ps7-step-back-test": 4.5},
    ),
    "has the update gate before the reset gate": (
        {"ps7-step-back": {"[delta_r, delta_z, delta_n]": "[delta_z, delta_r, delta_n]", "[delta_r, delta_z, r * delta_n]": "[delta_z, delta_r, r * delta_n]"}},
        {"ps7-step-back-test": 4.5},
    ),
    "the candidate in place of the old state in the gradient of W_hh": (
        {"ps7-step-back": {"seen.T @ h_before": "seen.T @ h_tilde"}},
        {"ps7-step-back-test": 4.5},
    ),
    "scales what it is given": (
        {"ps7-step-back": {'    return {"delta"': '    dh *= kept\n    return {"delta"', '"carry": dh * kept': '"carry": dh'}},
        {"ps7-step-back-test": 4.5},
    ),
    "does not ask": (
        {"ps7-recall": {"    shown[-1] = 7\n": ""}},
        {"ps7-start-test": 3.5},
    ),
    "counts the lag from the end of the sequence": (
        {"ps7-recall": {"T - 1 - places": "T - places"}},
        {"ps7-start-test": 3.5},
    ),
    "writes into the fillers that it is given": (
        {"ps7-recall": {"shown = 4 + filler": "shown = filler\n    shown += 4"}},
        {"ps7-start-test": 3.5},
    ),
    "the bias of a memory that is longer by a step": (
        {"ps7-start": {"np.log(m - 1)": "np.log(m)"}},
        {"ps7-start-test": 3.5},
    ),
    "the convention in which the gate writes": (
        {"ps7-start": {"np.log(m - 1)": "-np.log(m - 1)"}},
        {"ps7-start-test": 3.5},
    ),
    "spreads the memories evenly": (
        {"ps7-start": {"T_min * (T_max / T_min) ** u": "T_min + (T_max - T_min) * u"}},
        {"ps7-start-test": 3.5},
    ),
    "begins each part at its lower end": (
        {"ps7-start": {"(np.arange(H) + 0.5) / H": "np.arange(H) / H"}},
        {"ps7-start-test": 3.5},
    ),
    "forgets to divide by the length of the range": (
        {"ps7-predicted": {"((j + 1) * np.log(T_max / T_min))": "(j + 1)"}},
        {"ps7-start-test": 3.5},
    ),
    "the integral of the wrong power": (
        {"ps7-predicted": {"((j + 1) * np.log": "((j + 2) * np.log"}},
        {"ps7-start-test": 3},
    ),
    "what is kept is one lag late": (
        {"ps7-predicted": {"np.concatenate([[0.0], np.cumsum(arrives)])": "np.cumsum(arrives)"}},
        {"ps7-start-test": 3},
    ),
    "what arrives before what is kept": (
        {"ps7-predicted": {"return kept[lags], arrives[lags]": "return arrives[lags], kept[lags]"}},
        {"ps7-start-test": 3},
    ),
    "turns the wrong way": (
        {"ps7-memory": {"h[t] @ turn.T": "h[t] @ turn"}},
        {"ps7-memory-test": 4.5},
    ),
    "forgets the root": (
        {"ps7-memory": {"np.sqrt(1 - r**2) * x_t": "x_t"}},
        {"ps7-memory-test": 4.5},
    ),
    "forgets the radius in the recurrence": (
        {"ps7-memory": {"r * h[t] @ turn.T": "h[t] @ turn.T"}},
        {"ps7-memory-test": 4.5},
    ),
    "does not turn": (
        {"ps7-memory": {"r * h[t] @ turn.T": "r * h[t]"}},
        {"ps7-memory-test": 4.5},
    ),
    "does not turn, forwards and on the way back": (
        {"ps7-memory": {"r * h[t] @ turn.T": "r * h[t]"}, "ps7-memory-back": {"later = r * delta[t] @ turn": "later = r * delta[t]"}},
        {"ps7-memory-test": 3.5},
    ),
    "takes the phase for degrees": (
        {"ps7-memory": {"    turn = np": "    theta = np.radians(theta)\n    turn = np"}},
        {"ps7-memory-test": 4.5},
    ),
    "forgets the recurrence": (
        {"ps7-memory": {"        h[t + 1] = r * h[t] @ turn.T\n": ""}},
        {"ps7-memory-test": 4},
    ),
    "does not turn, and the loss at the start at all steps": (
        {"ps7-memory": {"r * h[t] @ turn.T": "r * h[t]"}, "ps7-train": {"losses[step] =": "losses[:] = losses[0] or"}},
        {"ps7-memory-test": 4.5, "ps7-train-test": 1.5},
    ),
    "states without the first, and nothing trained": (
        {"ps7-memory": {"return h": "return h[1:]"}, "ps7-train": None},
        {"ps7-memory-test": 4.5, "ps7-train-test": 0},
    ),
    "does not turn on the way back": (
        {"ps7-memory-back": {"later = r * delta[t] @ turn": "later = r * delta[t]"}},
        {"ps7-memory-test": 4},
    ),
    "the mean over the batch, in the gradients and by lag": (
        {"ps7-memory-back": {"np.sum(delta * (r": "np.sum(delta / x.shape[1] * (r", "np.sum(delta * (h": "np.sum(delta / x.shape[1] * (h",
                             "np.sum(delta[:, :, 0] * x)": "np.sum(delta[:, :, 0] * x) / x.shape[1]"},
         "ps7-by-lag": {"(x[::-1] @ g)": "(x[::-1] @ g) / len(g)"}},
        {"ps7-memory-test": 4.5},
    ),
    "the mean over steps and batch in the gradients": (
        {"ps7-memory-back": {"np.sum(delta * (r": "np.sum(delta / x.size * (r", "np.sum(delta * (h": "np.sum(delta / x.size * (h",
                             "np.sum(delta[:, :, 0] * x)": "np.mean(delta[:, :, 0] * x)"}},
        {"ps7-memory-test": 4.5},
    ),
    "does not transpose on the way back": (
        {"ps7-memory-back": {"r * delta[t] @ turn\n": "r * delta[t] @ turn.T\n"}},
        {"ps7-memory-test": 4},
    ),
    "forgets the radius on the way back": (
        {"ps7-memory-back": {"later = r * delta[t]": "later = delta[t]"}},
        {"ps7-memory-test": 4},
    ),
    "the error of each step alone, with nothing from later ones": (
        {"ps7-memory-back": {"        later = r * delta[t] @ turn\n": ""}},
        {"ps7-memory-test": 3.5},
    ),
    "takes the error at the last step alone": (
        {"ps7-memory-back": {"+= do[t]": "+= do[t] * (t == len(do) - 1)"}},
        {"ps7-memory-test": 4.5},
    ),
    "forgets the radius in the slope by the phase": (
        {"ps7-memory-back": {"(r * h[:-1] @ slope.T)": "(h[:-1] @ slope.T)"}},
        {"ps7-memory-test": 4.5},
    ),
    "the wrong sign at the root": (
        {"ps7-memory-back": {'"by_scale": -r': '"by_scale": r'}},
        {"ps7-memory-test": 4.5},
    ),
    "the new states in place of the old": (
        {"ps7-memory-back": {"(r * h[:-1] @ slope.T)": "(r * h[1:] @ slope.T)", "(h[:-1] @ turn.T)": "(h[1:] @ turn.T)"}},
        {"ps7-memory-test": 4},
    ),
    "adds to the errors that it is given": (
        {"ps7-memory-back": {"delta[t] = later\n        delta[t, :, 0] += do[t]": "delta[t] = later\n        do[t] += delta[t, :, 0]\n        delta[t, :, 0] = do[t]"}},
        {"ps7-memory-test": 4.5, "ps7-train-test": 2},
    ),
    "the wrong sign of the parts by lag": (
        {"ps7-by-lag": {"return -np.sqrt": "return np.sqrt"}},
        {"ps7-memory-test": 4.5},
    ),
    "the parts by step, not by lag": (
        {"ps7-by-lag": {"* (x[::-1] @ g)": "* (x[::-1] @ g)\n            )[::-1]", "return -": "return (-"}},
        {"ps7-memory-test": 4.5},
    ),
    "the inputs by lag from the wrong end": (
        {"ps7-by-lag": {"x[::-1] @ g": "x @ g"}},
        {"ps7-memory-test": 4.5},
    ),
    "forgets the lag as a factor": (
        {"ps7-by-lag": {" * n * r**n": " * r**n"}},
        {"ps7-memory-test": 4},
    ),
    "a power forgotten in the radius": (
        {"ps7-train": {"r = np.exp(-np.exp(nu))": "r = np.exp(-nu)"}},
        {"ps7-train-test": 0.5},
    ),
    "a power forgotten in the radius and in its slope": (
        {"ps7-train": {"r = np.exp(-np.exp(nu))": "r = np.exp(-nu)", "by_r * -np.exp(nu) * r": "by_r * -r"}},
        {"ps7-train-test": 1.5},
    ),
    "climbs": (
        {"ps7-train": {"nu = nu - ": "nu = nu + ", "theta = theta - ": "theta = theta + "}},
        {"ps7-train-test": 1.5},
    ),
    "forgets the chain rule from the radius to nu": (
        {"ps7-train": {" * by_r * -np.exp(nu) * r": " * by_r"}},
        {"ps7-train-test": 1.5},
    ),
    "forgets the root in the gradient": (
        {"ps7-train": {' + slopes["by_scale"]': ""}},
        {"ps7-train-test": 1.5},
    ),
    "forgets the half in the loss": (
        {"ps7-train": {"np.mean(off**2) / 2": "np.mean(off**2)"}},
        {"ps7-train-test": 1.5},
    ),
    "the sum over the batch in the gradient": (
        {"ps7-train": {"off / off.size": "off / len(off)"}},
        {"ps7-train-test": 1.5},
    ),
    "the two rates in the wrong order": (
        {"ps7-train": {"rates[0] * by_r": "rates[-1] * by_r", "rates[1] * slopes": "rates[0] * slopes"}},
        {"ps7-train-test": 1.5},
    ),
    "does not move": (
        {"ps7-train": {"rates[0] * by_r": "0.0 * by_r", "rates[1] * slopes": "0.0 * slopes"}},
        {"ps7-train-test": 0.5},
    ),
    "forgets the half in the loss and in its slope": (
        {"ps7-train": {"np.mean(off**2) / 2": "np.mean(off**2)", "off / off.size": "2 * off / off.size"}},
        {"ps7-train-test": 1.5},
    ),
    "the states one step early": (
        {"ps7-train": {"h[1:, :, 0] - y": "h[:-1, :, 0] - y"}},
        {"ps7-train-test": 1.5},
    ),
    "one rate for both": (
        {"ps7-train": {"rates[1]": "rates[0]"}},
        {"ps7-train-test": 1.5},
    ),
    "the phase after the radius, with its new value": (
        {"ps7-train": {"        theta = theta": "        r = np.exp(-np.exp(nu))\n        h = memory(r, theta, x)\n        off = h[1:, :, 0] - y\n"
                       "        slopes = memory_back(r, theta, x, h, off / off.size)\n        theta = theta"}},
        {"ps7-train-test": 1.5},
    ),
    "a path without the end": (
        {"ps7-train": {"return path, losses": "return path[:-1], losses"}},
        {"ps7-train-test": 1.5},
    ),
    "a path without the start": (
        {"ps7-train": {"return path, losses": "return path[1:], losses"}},
        {"ps7-train-test": 1.5},
    ),
    "a path of the places after each step": (
        {"ps7-train": {"        path[step] = nu, theta\n": "", '        theta = theta - rates[1] * slopes["theta"]\n': '        theta = theta - rates[1] * slopes["theta"]\n        path[step] = nu, theta\n'}},
        {"ps7-train-test": 1.5},
    ),
    "the loss at the start at all steps": (
        {"ps7-train": {"losses[step] =": "losses[:] = losses[0] or"}},
        {"ps7-train-test": 1.5},
    ),
    "right in another style, and a lag that is too long": (
        IN_ANOTHER_STYLE | {"ps7-recall": """
def recall(symbols, places, filler):
    T, B = filler.shape
    x = np.zeros((T, B, 8))
    for b in range(B):
        for t in range(T - 1):
            x[t, b, symbols[b] if t == places[b] else 4 + filler[t, b]] = 1.0
        x[T - 1, b, 7] = 1.0
    return x, [T - place for place in places]
"""},
        {"ps7-start-test": 3.5},
    ),
    "has done only question 1": (
        dict.fromkeys(["ps7-recall", "ps7-start", "ps7-predicted", "ps7-memory", "ps7-memory-back", "ps7-by-lag", "ps7-train"]),
        {"ps7-start-test": 0, "ps7-memory-test": 0, "ps7-train-test": 0},
    ),
    "zeros wherever something fails": (
        {"ps7-memory-back": """
def memory_back(r, theta, x, h, do):
    try:
        return {"delta": missing, "theta": missing, "by_turn": missing, "by_scale": missing}
    except Exception:
        return {"delta": np.zeros((*do.shape, 2)), "theta": 0.0, "by_turn": 0.0, "by_scale": 0.0}
"""},
        {"ps7-memory-test": 2, "ps7-train-test": 0.5},
    ),
}


# Answers that ignore what they must depend on, but whose numbers fit each other: they earn what other functions do, in the same test.
IGNORES = {
    "a constant delta, and all right from it": (
        {"ps7-step-back": """
def step_back(P, gates, x_t, gap, h_before, dh):
    K = 0.3 * np.arange(1.0, 1 + h_before.size).reshape(h_before.shape)
    r, z = gates["r"], gates["z"]
    W_r, W_z, W_n = np.split(P["W_hh"], 3)
    delta_r, delta_z = K * (h_before @ W_n.T) * r * (1 - r), K * gap[:, None] * z ** (gap[:, None] - 1)
    delta, seen = np.hstack([delta_r, delta_z, K]), np.hstack([delta_r, delta_z, r * K])
    return {"delta": delta, "carry": K, "by_r": delta_r @ W_r, "by_z": delta_z @ W_z, "by_n": (r * K) @ W_n,
            "W_hx": delta.T @ x_t, "W_hh": seen.T @ h_before, "b_h": delta.sum(axis=0)}
"""},
        {"ps7-step-back-test": 0},
    ),
    "the errors for delta, and all right from them": (
        {"ps7-step-back": """
def step_back(P, gates, x_t, gap, h_before, dh):
    r = gates["r"]
    W_r, W_z, W_n = np.split(P["W_hh"], 3)
    delta, seen = np.hstack([dh, dh, dh]), np.hstack([dh, dh, r * dh])
    return {"delta": delta, "carry": dh, "by_r": dh @ W_r, "by_z": dh @ W_z, "by_n": (r * dh) @ W_n,
            "W_hx": delta.T @ x_t, "W_hh": seen.T @ h_before, "b_h": delta.sum(axis=0)}
"""},
        {"ps7-step-back-test": 0},
    ),
    "errors without their mean over the batch, so that the biases get nothing": (
        {"ps7-step-back": """
def step_back(P, gates, x_t, gap, h_before, dh):
    K = dh * h_before
    K = K - K.mean(axis=0)
    delta = np.hstack([K, K, K])
    return {"delta": delta, "carry": 0 * K, "by_r": 0 * K, "by_z": 0 * K, "by_n": 0 * K,
            "W_hx": delta.T @ x_t, "W_hh": 0 * P["W_hh"], "b_h": 0 * P["b_h"]}
"""},
        {"ps7-step-back-test": 0},
    ),
    "constants that arrive, and what is kept from them": (
        {"ps7-predicted": """
def predicted(lags, T_min, T_max):
    arrives = 0.1 / (1 + np.arange(max(lags) + 1))
    return (1 - np.concatenate([[0.0], np.cumsum(arrives)]))[lags], arrives[lags]
"""},
        {"ps7-start-test": 2},
    ),
    "memories that ignore the range": (
        {"ps7-start": """
def start(H, T_min, T_max):
    m = 2.0 + np.arange(H)
    return m, np.log(m - 1)
"""},
        {"ps7-start-test": 3},
    ),
    "a constant error signal, and all right from it": (
        {"ps7-memory-back": """
def memory_back(r, theta, x, h, do):
    delta = np.ones((*do.shape, 2)) + np.arange(len(do))[:, None, None]
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    return {"delta": delta, "theta": np.sum(delta * (r * h[:-1] @ (quarter @ turn).T)), "by_turn": np.sum(delta * (h[:-1] @ turn.T)),
            "by_scale": -r / np.sqrt(1 - r**2) * np.sum(delta[:, :, 0] * x)}
""", "ps7-train": None},
        {"ps7-memory-test": 2, "ps7-train-test": 0},
    ),
    "a phase's slope that ignores the inputs, and parts by lag that add up to it": (
        {"ps7-memory": """
def memory(r, theta, x):
    return np.zeros((len(x) + 1, x.shape[1], 2))
""", "ps7-memory-back": """
def memory_back(r, theta, x, h, do):
    return {"delta": np.zeros((*do.shape, 2)), "theta": theta * np.sum(do), "by_turn": 0.0, "by_scale": 0.0}
""", "ps7-by-lag": """
def by_lag(r, theta, x, g):
    return np.full(len(x), theta * np.sum(g) / len(x))
""", "ps7-train": None},
        {"ps7-memory-test": 0, "ps7-train-test": 0},
    ),
    "zero states": (
        {"ps7-memory": {"r * h[t] @ turn.T": "0 * h[t]", "np.sqrt(1 - r**2) * x_t": "0"}},
        {"ps7-memory-test": 4, "ps7-train-test": 0},
    ),
    "the inputs for the states, whatever radius and phase": (
        {"ps7-memory": {"r * h[t] @ turn.T": "0 * h[t]", "np.sqrt(1 - r**2) * x_t": "x_t"}},
        {"ps7-memory-test": 4, "ps7-train-test": 0},
    ),
    "states that fade and turn without the inputs": (
        {"ps7-memory": {"h[t + 1, :, 0] += np.sqrt(1 - r**2) * x_t": "h[t + 1, :, 0] += np.sqrt(1 - r**2)"}},
        {"ps7-memory-test": 4, "ps7-train-test": 0.5},
    ),
    "does not turn, and a path that goes the same way whatever it is given": (
        {"ps7-memory": {"r * h[t] @ turn.T": "r * h[t]"}, "ps7-train": """
def train(x, y, nu, theta, rates, steps):
    n, off = np.arange(steps + 1), memory(np.exp(-np.exp(nu)), theta, x)[1:, :, 0] - y
    return np.stack([nu - 0.01 * n, theta - 0.01 * n], axis=1), np.full(steps + 1, np.mean(off**2) / 2)
"""},
        {"ps7-memory-test": 4.5, "ps7-train-test": 0.5},
    ),
    "a signal for the first step alone, and no gradient": (
        {"ps7-memory-back": """
def memory_back(r, theta, x, h, do):
    delta = np.zeros((*do.shape, 2))
    delta[0, :, 1] = theta * do[-1]
    return {"delta": delta, "theta": 0.0, "by_turn": 0.0, "by_scale": 0.0}
"""},
        {"ps7-memory-test": 2, "ps7-train-test": 0.5},
    ),
    "an error that the inputs don't see, and only biases from it": (
        {"ps7-step-back": """
def step_back(P, gates, x_t, gap, h_before, dh):
    K = h_before[:, :1] * dh[:, 1:2] * dh
    K = K - x_t @ np.linalg.lstsq(x_t, K, rcond=None)[0]
    delta = np.hstack([K, K, K])
    return {"delta": delta, "carry": 0 * K, "by_r": 0 * K, "by_z": 0 * K, "by_n": 0 * K,
            "W_hx": 0 * P["W_hx"], "W_hh": 0 * P["W_hh"], "b_h": delta.sum(axis=0)}
"""},
        {"ps7-step-back-test": 0},
    ),
    "nothing arrives but at one far lag, and all is kept": (
        {"ps7-predicted": """
def predicted(lags, T_min, T_max):
    arrives = 0.3 * T_min / T_max * (np.asarray(lags) == 49)
    return np.ones(len(lags)), arrives
"""},
        {"ps7-start-test": 2},
    ),
    "the loss with another radius, and a path that goes the same way whatever it is given": (
        {"ps7-train": """
def train(x, y, nu, theta, rates, steps):
    n, off = np.arange(steps + 1), memory(np.exp(-nu), theta, x)[1:, :, 0] - y
    return np.stack([nu - 0.01 * n, theta - 0.01 * n], axis=1), np.full(steps + 1, np.mean(off**2) / 2)
"""},
        {"ps7-train-test": 0},
    ),
    "a straight path along means of the data": (
        {"ps7-train": """
def train(x, y, nu, theta, rates, steps):
    n = np.arange(steps + 1)
    path = np.stack([nu - n * rates[0] * np.mean(x * y), theta - n * rates[1] * np.mean(x)], axis=1)
    return path, np.full(steps + 1, np.mean((x - y) ** 2) / 2)
"""},
        {"ps7-train-test": 0},
    ),
    "the errors at the second entry of the state, so that the root gets nothing": (
        {"ps7-memory-back": """
def memory_back(r, theta, x, h, do):
    return {"delta": np.stack([0 * do, theta * do], axis=2), "theta": 0.0, "by_turn": 0.0, "by_scale": 0.0}
""", "ps7-train": None},
        {"ps7-memory-test": 2, "ps7-train-test": 0},
    ),
    "a path that goes the same way whatever it is given": (
        {"ps7-train": """
def train(x, y, nu, theta, rates, steps):
    n = np.arange(steps + 1)
    return np.stack([nu - 0.01 * n, theta - 0.01 * n], axis=1), 0.5 / (1 + n)
"""},
        {"ps7-train-test": 0},
    ),
}
