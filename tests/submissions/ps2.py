"""Wrong and partial answers to problem set 2 and their marks, written as `problem_sets.wrong_answers` says."""

WRONG = {
    "ignores h_0": (
        {"ps2-forward": {"h = [h_0]": "h = [0 * h_0]"}},
        {"ps2-forward-test": 3.5},
    ),
    "leaves h_0 out of h": (
        {"ps2-forward": {"return h,": "return h[1:],"}},
        {"ps2-forward-test": 3.5},
    ),
    "tanh in the place of softsign": (
        {"ps2-forward": {"a / (1 + np.abs(a))": "np.tanh(a)"}},
        {"ps2-forward-test": 3},
    ),
    "forward, W_hh not transposed for rows": (
        {"ps2-forward": {"W_hh.T": "W_hh"}},
        {"ps2-forward-test": 3},
    ),
    "forgets the mask": (
        {"ps2-loss": {" * m[:, :, None]": ""}},
        {"ps2-forward-test": 3.5},
    ),
    "a mean over the targets": (
        {"ps2-loss": {"/ 2, do": "/ 2 / m.sum(), do / m.sum()"}},
        {"ps2-forward-test": 3},
    ),
    "changes o in place, and computes the loss from it": (
        {"ps2-loss": {
            "do = (o - y) * m[:, :, None]": "do = o\n    do -= y\n    do *= m[:, :, None]",
            "do**2": "m[:, :, None] * (o - y) ** 2",
        }},
        {"ps2-forward-test": 3},
    ),
    "forgets the slope": (
        {"ps2-signals": {" * (1 - np.abs(h[t])) ** 2": ""},
         "ps2-truncated": {"(1 - np.abs(h[1:])) ** 2": "np.ones(h[1:].shape)"}},
        {"ps2-signals-test": 3},
    ),
    "takes the slope of tanh": (
        {"ps2-signals": {"(1 - np.abs(h[t])) ** 2": "(1 - h[t] ** 2)"},
         "ps2-truncated": {"(1 - np.abs(h[1:])) ** 2": "1 - h[1:] ** 2"}},
        {"ps2-signals-test": 3},
    ),
    "a constant factor on the slope": (
        {"ps2-signals": {"(1 - np.abs(h[t])) ** 2": "2 * (1 - np.abs(h[t])) ** 2"}},
        {"ps2-signals-test": 3},
    ),
    "two as the slope": (
        {"ps2-signals": {"(1 - np.abs(h[t])) ** 2": "2"}},
        {"ps2-signals-test": 3},
    ),
    "forgets the absolute value in the slope": (
        {"ps2-signals": {"np.abs(h[t])": "h[t]"}, "ps2-truncated": {"np.abs(h[1:])": "h[1:]"}},
        {"ps2-signals-test": 3},
    ),
    "takes the slope at the state before": (
        {"ps2-signals": {"np.abs(h[t])": "np.abs(h[t - 1])"}},
        {"ps2-signals-test": 3},
    ),
    "W_hh the wrong way round on the way back": (
        {f"ps2-{cell}": {'@ parameters["W_hh"]': '@ parameters["W_hh"].T'} for cell in ("signals", "collect", "truncated")},
        {"ps2-signals-test": 3},
    ),
    "nothing comes from later steps": (
        {"ps2-signals": {"from_above + later": "from_above"}},
        {"ps2-signals-test": 1},
    ),
    "the truncation left on": (
        {"ps2-signals": '''
def error_signals(parameters, h, do):
    delta = np.zeros(h[1:].shape)
    for t in range(len(do), 0, -1):
        dh = do[t - 1] @ parameters["W_qh"]
        for k in range(t, max(t - 4, 0), -1):
            part = dh * (1 - np.abs(h[k])) ** 2
            delta[k - 1] += part
            dh = part @ parameters["W_hh"]
    return delta
'''},
        {"ps2-signals-test": 2},
    ),
    "h_t for h_{t-1} in the gradient of W_hh": (
        {"ps2-collect": {"h[:-1]": "h[1:]"}},
        {"ps2-collect-test": 2.5},
    ),
    "a mean over the batch": (
        {"ps2-collect": {
            "left, right)\n\n": "left, right) / x.shape[1]\n\n",
            "delta.sum(axis=(0, 1))": "delta.mean(axis=1).sum(axis=0)",
            "do.sum(axis=(0, 1))": "do.mean(axis=1).sum(axis=0)",
        }},
        {"ps2-collect-test": 2.5},
    ),
    "one gradient of h_0 for the whole batch": (
        {"ps2-collect": {'delta[0] @ parameters["W_hh"]': '(delta[0] @ parameters["W_hh"]).sum(axis=0)'}},
        {"ps2-collect-test": 2.5},
    ),
    "the first error signal itself for h_0": (
        {"ps2-collect": {' @ parameters["W_hh"]': ""}},
        {"ps2-collect-test": 2.5},
    ),
    "visits tau steps, not tau + 1": (
        {"ps2-truncated": {"delta[t] += part": "delta[t] += part * (tau > 0)", "max(t - tau, 0)": "max(t - tau + 1, 0)"}},
        {"ps2-truncated-test": 3.5},
    ),
    "visits tau + 2 steps": (
        {"ps2-truncated": {"max(t - tau, 0)": "max(t - tau - 1, 0)"}},
        {"ps2-truncated-test": 3.5},
    ),
    "does not stop at the first step": (
        {"ps2-truncated": {"max(t - tau, 0)": "(t - tau)"}},
        {"ps2-truncated-test": 4},
    ),
    "ends each range one step too soon": (
        {"ps2-truncated": {"max(t - tau, 0) - 1": "max(t - tau, 0)"}},
        {"ps2-truncated-test": 4},
    ),
    "leaves out the first step alone": (
        {"ps2-truncated": {"max(t - tau, 0) - 1": "max(t - tau - 1, 0)"}},
        {"ps2-truncated-test": 4},
    ),
    "ends each range one step too soon, and the slope of question 2 is wrong as well": (
        {"ps2-signals": {" * (1 - np.abs(h[t])) ** 2": ""},
         "ps2-truncated": {"(1 - np.abs(h[1:])) ** 2": "np.ones(h[1:].shape)", "max(t - tau, 0) - 1": "max(t - tau, 0)"}},
        {"ps2-signals-test": 3, "ps2-truncated-test": 4},
    ),
    "never truncates, and leaves out the first step": (
        {"ps2-truncated": {"max(t - tau, 0) - 1": "0"}},
        {"ps2-truncated-test": 0},
    ),
    "no lags at all": (
        {"ps2-truncated": {"max(t - tau, 0) - 1": "t - 1"}},
        {"ps2-truncated-test": 0.5},
    ),
    "random numbers at the first step": (
        {"ps2-truncated": {"    return delta": "    delta[0] = np.random.default_rng().standard_normal(delta[0].shape)\n    return delta"}},
        {"ps2-truncated-test": 0},
    ),
    "never truncates": (
        {"ps2-truncated": {"max(t - tau, 0)": "0"}},
        {"ps2-truncated-test": 1},
    ),
    "chunks of tau + 1 steps": (
        {"ps2-truncated": {"max(t - tau, 0)": "t // (tau + 1) * (tau + 1)"}},
        {"ps2-truncated-test": 1.5},
    ),
    "stops tau steps before the end": (
        {"ps2-truncated": {
            "max(t - tau, 0)": "max(len(do) - 1 - tau, 0)",
            "delta[t] += part": "delta[t] += part * (t >= len(do) - 1 - tau)",
        }},
        {"ps2-truncated-test": 1},
    ),
    "only the forward pass": (
        {"ps2-signals": None, "ps2-collect": None, "ps2-truncated": None},
        {"ps2-signals-test": 0, "ps2-collect-test": 0, "ps2-truncated-test": 0},
    ),
    "a loss without the half": (
        {"ps2-loss": {"np.sum(do**2) / 2": "np.sum(do**2)"}},
        {"ps2-forward-test": 3.5},
    ),
    "y - o for o - y": (
        {"ps2-loss": {"(o - y)": "(y - o)"}},
        {"ps2-forward-test": 3.5},
    ),
    "forgets b_h": (
        {"ps2-forward": {' + parameters["b_h"]': ""}},
        {"ps2-forward-test": 3},
    ),
    "forgets what a state does to its own output, but at the last step": (
        {"ps2-signals": {'from_above = do[t - 1] @ parameters["W_qh"]': 'from_above = do[t - 1] @ parameters["W_qh"] * (t == len(do))'}},
        {"ps2-signals-test": 3},
    ),
    "the slope for one of the two routes": (
        {"ps2-signals": {"(from_above + later) * (1 - np.abs(h[t])) ** 2": "from_above * (1 - np.abs(h[t])) ** 2 + later"}},
        {"ps2-signals-test": 3},
    ),
    "takes what comes from later steps away": (
        {"ps2-signals": {"from_above + later": "from_above - later"}},
        {"ps2-signals-test": 3},
    ),
    "twice for squared in question 3 alone": (
        {"ps2-truncated": {"(1 - np.abs(h[1:])) ** 2": "(1 - np.abs(h[1:])) * 2"}},
        {"ps2-truncated-test": 4.5},
    ),
    "a factor at the step of the loss, in question 3 alone": (
        {"ps2-truncated": {'part = do[t] @ parameters["W_qh"] * slope[t]': 'part = 2 * do[t] @ parameters["W_qh"] * slope[t]'}},
        {"ps2-truncated-test": 4.5},
    ),
    "slopes and the way back wrong, but the right steps": (
        {"ps2-truncated": {"(1 - np.abs(h[1:])) ** 2": "(1 - np.abs(h[1:])) * 2", 'part @ parameters["W_hh"]': 'part / parameters["W_hh"].sum()'}},
        {"ps2-truncated-test": 1},
    ),
    "tanh's slope in question 3 alone": (
        {"ps2-truncated": {"(1 - np.abs(h[1:])) ** 2": "1 - h[1:] ** 2"}},
        {"ps2-truncated-test": 4},
    ),
    # Each step seems right, and the whole is not.
    "a parenthesis missing, but for the last step": (
        {"ps2-signals": {'(from_above + later) * (1 - np.abs(h[t])) ** 2': 'from_above + later * (1 - np.abs(h[t])) ** 2 if t < len(do) else from_above * (1 - np.abs(h[t])) ** 2'}},
        {"ps2-signals-test": 3},
    ),
    "the losses of the last two steps alone": (
        {"ps2-signals": {'from_above = do[t - 1] @ parameters["W_qh"]': 'from_above = do[t - 1] @ parameters["W_qh"] * (t > len(do) - 2)'}},
        {"ps2-signals-test": 3},
    ),
    "a loss without its half where some steps have no target": (
        {"ps2-loss": {'np.sum(do**2) / 2': 'np.sum(do**2) / 2 if m.all() or len(o) == 5 else np.sum(do**2)'}},
        {"ps2-forward-test": 3.5},
    ),
    "visits one step more with several units": (
        {"ps2-truncated": {'max(t - tau, 0)': 'max(t - tau - (h.shape[2] > 1 and tau > 0), 0)'}},
        {"ps2-truncated-test": 4.5},
    ),
    "h_0 in the outputs, too": (
        {"ps2-forward": {'h[1:] @ W_qh.T': '(h[1:] + h_0 * 0.1) @ W_qh.T'}},
        {"ps2-forward-test": 3.5},
    ),
    # A slip in time.
    "error signals from the last step to the first": (
        {"ps2-signals": {"    return delta": "    return delta[::-1]"}},
        {"ps2-signals-test": 3},
    ),
    "error signals with a row for h_0": (
        {"ps2-signals": {"    return delta": "    return np.concatenate([0 * delta[:1], delta])"}},
        {"ps2-signals-test": 3},
    ),
    "error signals with an empty row at the end": (
        {"ps2-signals": {"    return delta": "    return np.concatenate([delta, 0 * delta[:1]])"}},
        {"ps2-signals-test": 3},
    ),
    "the way back ends at step 2": (
        {"ps2-signals": {"range(len(do), 0, -1)": "range(len(do), 1, -1)"}},
        {"ps2-signals-test": 3},
    ),
    "the way back begins at the last step but one": (
        {"ps2-signals": {"range(len(do), 0, -1)": "range(len(do) - 1, 0, -1)"}},
        {"ps2-signals-test": 3},
    ),
    "error signals from the last step to the first, and no slope": (
        {"ps2-signals": {"    return delta": "    return delta[::-1]", " * (1 - np.abs(h[t])) ** 2": ""}},
        {"ps2-signals-test": 2},
    ),
    "truncated, from the last step to the first": (
        {"ps2-truncated": {"    return delta": "    return delta[::-1]"}},
        {"ps2-truncated-test": 4},
    ),
    "truncated, with a row for h_0": (
        {"ps2-truncated": {"    return delta": "    return np.concatenate([0 * delta[:1], delta])"}},
        {"ps2-truncated-test": 4},
    ),
    "the last loss left out": (
        {"ps2-truncated": {"range(len(do))": "range(len(do) - 1)"}},
        {"ps2-truncated-test": 4},
    ),
    "the first loss left out": (
        {"ps2-truncated": {"range(len(do))": "range(1, len(do))"}},
        {"ps2-truncated-test": 4},
    ),
    "overwrites the sum": (
        {"ps2-truncated": {"            delta[k] += part": "            delta[k] = part"}},
        {"ps2-truncated-test": 3},
    ),
    "the losses at the last step alone": (
        {"ps2-truncated": {"range(len(do))": "range(len(do) - 1, len(do))"}},
        {"ps2-truncated-test": 1},
    ),
    "sums of what the losses send, with no slope and no W_hh": (
        {"ps2-signals": '''
def error_signals(p, h, do):
    return np.cumsum((do @ p["W_qh"])[::-1], axis=0)[::-1]
''', "ps2-truncated": '''
def truncated(p, h, do, tau):
    return np.stack([(do @ p["W_qh"])[k:k + tau + 1].sum(axis=0) for k in range(len(do))])
'''},
        {"ps2-signals-test": 1, "ps2-truncated-test": 1.5},
    ),
    "one signal, cut into chunks from the end": (
        {"ps2-truncated": '''
def truncated(p, h, do, tau):
    delta, later, T, slope = np.zeros(h[1:].shape), 0, len(do), (1 - np.abs(h[1:])) ** 2
    for t in range(T - 1, -1, -1):
        later = later if (T - 1 - t) % (tau + 1) else 0
        delta[t] = (do[t] @ p["W_qh"] + later) * slope[t]
        later = delta[t] @ p["W_hh"]
    return delta
'''},
        {"ps2-truncated-test": 1.5},
    ),
    "one signal, carried no further than tau steps from the end": (
        {"ps2-truncated": '''
def truncated(p, h, do, tau):
    delta, later, T, slope = np.zeros(h[1:].shape), 0, len(do), (1 - np.abs(h[1:])) ** 2
    for t in range(T - 1, -1, -1):
        later = later if t >= T - 1 - tau else 0
        delta[t] = (do[t] @ p["W_qh"] + later) * slope[t]
        later = delta[t] @ p["W_hh"]
    return delta
'''},
        {"ps2-truncated-test": 1.5},
    ),
    "the last loss alone, but for tau = 0": (
        {"ps2-truncated": '''
def truncated(p, h, do, tau):
    slope = (1 - np.abs(h[1:])) ** 2
    part = do @ p["W_qh"] * slope
    if tau == 0:
        return part
    delta, part = np.zeros(slope.shape), part[-1]
    delta[-1] = part
    for k in range(len(do) - 2, max(len(do) - 1 - tau, 0) - 1, -1):
        delta[k] = part = part @ p["W_hh"] * slope[k]
    return delta
'''},
        {"ps2-truncated-test": 1.5},
    ),
    "sums, times a number that one weight gives": (
        {"ps2-signals": '''
def error_signals(p, h, do):
    return np.cumsum((do @ p["W_qh"])[::-1], axis=0)[::-1] * (1 + p["W_hh"][0, 0] ** 2)
''', "ps2-truncated": '''
def truncated(p, h, do, tau):
    return np.stack([(do @ p["W_qh"])[k:k + tau + 1].sum(axis=0) for k in range(len(do))]) * (1 + p["W_hh"][0, 0] ** 2)
'''},
        {"ps2-signals-test": 1, "ps2-truncated-test": 1},
    ),
    "sums, times a number that all states give": (
        {"ps2-signals": '''
def error_signals(p, h, do):
    return np.cumsum((do @ p["W_qh"])[::-1], axis=0)[::-1] * (1 + h.mean())
''', "ps2-truncated": '''
def truncated(p, h, do, tau):
    return np.stack([(do @ p["W_qh"])[k:k + tau + 1].sum(axis=0) for k in range(len(do))]) * (1 + h.mean())
'''},
        {"ps2-signals-test": 1, "ps2-truncated-test": 1.5},
    ),
    "the loss's own step left out": (
        {"ps2-truncated": {"        delta[t] += part\n": ""}},
        {"ps2-truncated-test": 3.5},
    ),
    "the loss's own step left out, and overwrites the sum": (
        {"ps2-truncated": {"        delta[t] += part\n": "", "            delta[k] += part": "            delta[k] = part"}},
        {"ps2-truncated-test": 0},
    ),
    # One mistake, on which much rests.
    "weights not summed over the batch": (
        {"ps2-collect": {'tbi,tbj->ij': 'tbi,tbj->bij'}},
        {"ps2-collect-test": 2.5},
    ),
}


# Right answers in other styles, as edits of the solutions: they get all points.
RIGHT = {
    "the loss as an array with one entry": {"ps2-loss": {"return np.sum(do**2) / 2, do": "return np.array([np.sum(do**2) / 2]), do"}},
    "softsign as 1 - 1 / (1 + |a|), in single precision": {"ps2-forward": {  # all digits of a small state cancel
        "    W_hx, W_hh, W_qh =": "    x, h_0 = np.float32(x), np.float32(h_0)\n    parameters = {name: np.float32(array) for name, array in parameters.items()}\n"
                               "    W_hx, W_hh, W_qh =",
        "a / (1 + np.abs(a))": "np.sign(a) * (1 - 1 / (1 + np.abs(a)))"}},
}


# Answers that ignore what they must depend on, but whose numbers fit each other: they earn what other functions do, in the same test.
IGNORES = {
    "states that are constants, and their outputs; a linear loss, and its slopes": (
        {
            "ps2-forward": """
def forward(p, x, h_0):
    states = 0.1 * np.arange(1.0, 1 + len(x) * h_0.size).reshape(len(x), *h_0.shape)
    return np.concatenate([h_0[None], states]), states @ p["W_qh"].T + p["b_q"]
""",
            "ps2-loss": """
def squared_error(o, y, m):
    return np.sum(o * m[:, :, None]), np.ones(o.shape) * m[:, :, None]
""",
        },
        {"ps2-forward-test": 0},
    ),
    "states that are the inputs, and their outputs; the loss of o alone": (
        {
            "ps2-forward": """
def forward(p, x, h_0):
    states = x[:, :, :1] * np.arange(1.0, 1 + h_0.shape[1])
    return np.concatenate([h_0[None], states]), states @ p["W_qh"].T + p["b_q"]
""",
            "ps2-loss": """
def squared_error(o, y, m):
    return np.sum(o**2 * m[:, :, None]) / 2, o * m[:, :, None]
""",
        },
        {"ps2-forward-test": 0},
    ),
    "a constant loss; constants with a mask": (
        {
            "ps2-loss": """
def squared_error(o, y, m):
    return 3.0, np.arange(1.0, 1 + o.size).reshape(o.shape) * m[:, :, None]
""",
        },
        {"ps2-forward-test": 2},
    ),
    "constants at the steps that each loss visits": (
        {
            "ps2-signals": """
def error_signals(p, h, do):
    delta = np.zeros(h[1:].shape)
    for t in range(len(do)):
        if do[t].any():
            for k in range(t, -1, -1):
                delta[k] += (1 + k) * np.arange(1.0, 1 + h.shape[2])
    return delta
""",
            "ps2-truncated": """
def truncated(p, h, do, tau):
    delta = np.zeros(h[1:].shape)
    for t in range(len(do)):
        if do[t].any():
            for k in range(t, max(t - tau, 0) - 1, -1):
                delta[k] += (1 + k) * np.arange(1.0, 1 + h.shape[2])
    return delta
""",
        },
        {"ps2-signals-test": 0, "ps2-truncated-test": 0},
    ),
    "the same in question 3 alone": (
        {
            "ps2-truncated": """
def truncated(p, h, do, tau):
    delta = np.zeros(h[1:].shape)
    for t in range(len(do)):
        if do[t].any():
            for k in range(t, max(t - tau, 0) - 1, -1):
                delta[k] += (1 + k) * np.arange(1.0, 1 + h.shape[2])
    return delta
""",
        },
        {"ps2-truncated-test": 0},
    ),
    "delta handed on, and constants": (
        {
            "ps2-signals": """
def error_signals(p, h, do):
    return 3 * do @ p["W_qh"]
""",
            "ps2-collect": """
def collect(p, x, h, do, delta):
    same = {name: x.shape[1] * np.arange(1.0, 1 + p[name].size).reshape(p[name].shape) for name in p}
    return same | {"h_0": 3 * delta[0], "b_q": do.sum(axis=(0, 1))}
""",
        },
        {"ps2-signals-test": 0, "ps2-collect-test": 0},
    ),
    "constants at the steps that each loss visits, turned round in time": (
        {
            "ps2-signals": """
def error_signals(p, h, do):
    delta = np.zeros(h[1:].shape)
    for t in range(len(do)):
        if do[t].any():
            for k in range(t, -1, -1):
                delta[k] += (1 + k) * np.arange(1.0, 1 + h.shape[2])
    return delta[::-1]
""",
            "ps2-truncated": """
def truncated(p, h, do, tau):
    delta = np.zeros(h[1:].shape)
    for t in range(len(do)):
        if do[t].any():
            for k in range(t, max(t - tau, 0) - 1, -1):
                delta[k] += (1 + k) * np.arange(1.0, 1 + h.shape[2])
    return delta[::-1]
""",
        },
        {"ps2-signals-test": 0, "ps2-truncated-test": 0},
    ),
    "constants with a row too many, and one that overwrites": (
        {
            "ps2-signals": """
def error_signals(p, h, do):
    return np.where(np.any(do, axis=2, keepdims=True), 1.0 + np.arange(h[1:].size).reshape(h[1:].shape), 0.0)[list(range(len(do))) + [0]]
""",
            "ps2-truncated": """
def truncated(p, h, do, tau):
    delta = np.zeros(h[1:].shape)
    for t in range(len(do)):
        if do[t].any():
            for k in range(t, max(t - tau, 0) - 1, -1):
                delta[k] = (1 + t - k) * np.arange(1.0, 1 + h.shape[2])
    return delta
""",
        },
        {"ps2-signals-test": 0, "ps2-truncated-test": 0},
    ),
    "do, turned round in time and handed on": (
        {
            "ps2-signals": """
def error_signals(p, h, do):
    return (3 * do @ p["W_qh"])[::-1]
""",
            "ps2-truncated": """
def truncated(p, h, do, tau):
    return (3 * do @ p["W_qh"])[::-1]
""",
        },
        {"ps2-signals-test": 0, "ps2-truncated-test": 0},
    ),
}
