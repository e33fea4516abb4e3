"""Wrong and partial answers to problem set 2, and the marks that they earn: what a fair teacher would give."""

# One solution each, with holes for the lines in which a mistake is made.

FORWARD = '''
def forward(parameters, x, h_0):
    T, B, _ = x.shape
    H = parameters["W_hh"].shape[0]
    h = np.zeros((T + 1, B, H))
    h[0] = {first}
    for t in range(1, T + 1):
        a = x[t - 1] @ parameters["W_hx"].T + h[t - 1] @ {W_hh} + parameters["b_h"]
        h[t] = {state}
    o = h[1:] @ parameters["W_qh"].T + parameters["b_q"]
    return {returned}, o
'''

SIGNALS = '''
def error_signals(parameters, h, do):
    T, B, _ = do.shape
    delta = np.zeros((T, B, h.shape[2]))
    later = np.zeros(h[0].shape)
    for t in range(T, 0, -1):
        dh = do[t - 1] @ parameters["W_qh"] + later
        delta[t - 1] = dh * {slope}
        later = {later}
    return delta
'''

COLLECT = '''
def collect(parameters, x, h, do, delta):
    grads = {{name: np.zeros_like(parameters[name]) for name in parameters}}
    for t in range(len(x)):
        grads["W_hx"] += delta[t].T @ x[t]
        grads["W_hh"] += delta[t].T @ h[{before}]
        grads["W_qh"] += do[t].T @ h[t + 1]
        grads["b_h"] += delta[t].sum(axis=0)
        grads["b_q"] += do[t].sum(axis=0)
    {average}
    grads["h_0"] = {dh_0}
    return grads
'''

TRUNCATED = '''
def truncated(parameters, h, do, tau):
    T, B, _ = do.shape
    delta = np.zeros((T, B, h.shape[2]))
    for t in range(T, 0, -1):
        dh = do[t - 1] @ parameters["W_qh"]
        for k in range(t, {stop}, -1):
            part = dh * {slope}
            delta[k - 1] += part
            dh = part @ {W_hh}
    return delta
'''


def forward(first="h_0", W_hh='parameters["W_hh"].T', state="a / (1 + np.abs(a))", returned="h"):
    return {"ps2-forward": FORWARD.format(first=first, W_hh=W_hh, state=state, returned=returned)}


def signals(slope="(1 - np.abs(h[t])) ** 2", later='delta[t - 1] @ parameters["W_hh"]'):
    return {"ps2-signals": SIGNALS.format(slope=slope, later=later)}


def collect(before="t", average="", dh_0='delta[0] @ parameters["W_hh"]'):
    return {"ps2-collect": COLLECT.format(before=before, average=average, dh_0=dh_0)}


def truncated(stop="max(t - tau - 1, 0)", slope="(1 - np.abs(h[k])) ** 2", W_hh='parameters["W_hh"]'):
    return {"ps2-truncated": TRUNCATED.format(stop=stop, slope=slope, W_hh=W_hh)}


WRONG = {
    "ignores h_0": (forward(first="0"), {"ps2-forward-test": 3.5}),
    "leaves h_0 out of h": (forward(returned="h[1:]"), {"ps2-forward-test": 2.5}),
    "tanh in the place of softsign": (forward(state="np.tanh(a)"), {"ps2-forward-test": 2.5}),
    "forward, W_hh not transposed for rows": (forward(W_hh='parameters["W_hh"]'), {"ps2-forward-test": 2.5}),
    "forgets the mask": (
        {"ps2-loss": '''
def squared_error(o, y, m):
    do = o - y
    return np.sum(do**2) / 2, do
'''},
        {"ps2-forward-test": 3},
    ),
    "a mean over the targets": (
        {"ps2-loss": '''
def squared_error(o, y, m):
    do = (o - y) * m[:, :, None] / m.sum()
    return np.sum((o - y) ** 2 * m[:, :, None]) / 2 / m.sum(), do
'''},
        {"ps2-forward-test": 2},
    ),
    "changes o in place, and computes the loss from it": (
        {"ps2-loss": '''
def squared_error(o, y, m):
    do = o
    do -= y
    do *= m[:, :, None]
    return np.sum(m[:, :, None] * (o - y) ** 2) / 2, do
'''},
        {"ps2-forward-test": 3},
    ),
    "forgets the slope": (
        signals(slope="1") | truncated(slope="1"),
        {"ps2-signals-test": 2, "ps2-truncated-test": 4},
    ),
    "takes the slope of tanh": (
        signals(slope="(1 - h[t] ** 2)") | truncated(slope="(1 - h[k] ** 2)"),
        {"ps2-signals-test": 2, "ps2-truncated-test": 4},
    ),
    "forgets the absolute value in the slope": (
        signals(slope="(1 - h[t]) ** 2") | truncated(slope="(1 - h[k]) ** 2"),
        {"ps2-signals-test": 2, "ps2-truncated-test": 4},
    ),
    "takes the slope at the state before": (
        signals(slope="(1 - np.abs(h[t - 1])) ** 2"),
        {"ps2-signals-test": 2},
    ),
    "W_hh the wrong way round on the way back": (
        signals(later='delta[t - 1] @ parameters["W_hh"].T')
        | collect(dh_0='delta[0] @ parameters["W_hh"].T')
        | truncated(W_hh='parameters["W_hh"].T'),
        {"ps2-signals-test": 2, "ps2-collect-test": 2.5, "ps2-truncated-test": 4},
    ),
    "nothing comes from later steps": (signals(later="0"), {"ps2-signals-test": 1}),
    "the truncation left on": (
        {"ps2-signals": truncated()["ps2-truncated"] + '''
def error_signals(parameters, h, do):
    return truncated(parameters, h, do, 3)
'''},
        {"ps2-signals-test": 2},
    ),
    "h_t for h_{t-1} in the gradient of W_hh": (collect(before="t + 1"), {"ps2-collect-test": 2.5}),
    "a mean over the batch": (
        collect(average="grads = {name: grads[name] / x.shape[1] for name in grads}"),
        {"ps2-collect-test": 2.5},
    ),
    "one gradient of h_0 for the whole batch": (
        collect(dh_0='(delta[0] @ parameters["W_hh"]).sum(axis=0)'),
        {"ps2-collect-test": 2.5},
    ),
    "the first error signal itself for h_0": (collect(dh_0="delta[0]"), {"ps2-collect-test": 2.5}),
    "visits tau steps, not tau + 1": (truncated(stop="max(t - tau, 0)"), {"ps2-truncated-test": 3.5}),
    "visits tau + 2 steps": (truncated(stop="max(t - tau - 2, 0)"), {"ps2-truncated-test": 3.5}),
    "does not stop at the first step": (truncated(stop="t - tau - 1"), {"ps2-truncated-test": 3}),
    "never truncates": (truncated(stop="0"), {"ps2-truncated-test": 1}),
    "chunks of tau + 1 steps": (
        truncated(stop="(t - 1) // (tau + 1) * (tau + 1)"), {"ps2-truncated-test": 1.5},
    ),
    "stops tau steps before the end": (
        {"ps2-truncated": '''
def truncated(parameters, h, do, tau):
    T, B, _ = do.shape
    delta = np.zeros((T, B, h.shape[2]))
    later = np.zeros(h[0].shape)
    for t in range(T, max(T - tau - 1, 0), -1):
        delta[t - 1] = (do[t - 1] @ parameters["W_qh"] + later) * (1 - np.abs(h[t])) ** 2
        later = delta[t - 1] @ parameters["W_hh"]
    return delta
'''},
        {"ps2-truncated-test": 2},
    ),
    "only the forward pass": (
        {"ps2-signals": '''
def error_signals(parameters, h, do):
    raise NotImplementedError()
''', "ps2-collect": '''
def collect(parameters, x, h, do, delta):
    raise NotImplementedError()
''', "ps2-truncated": '''
def truncated(parameters, h, do, tau):
    raise NotImplementedError()
'''},
        {"ps2-signals-test": 0, "ps2-collect-test": 0, "ps2-truncated-test": 0},
    ),
}
