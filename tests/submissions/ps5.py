"""Wrong and partial answers to problem set 5, and the marks that they earn: what a fair teacher would give."""

NOTHING = """
def {}(*args, **kwargs):
    raise NotImplementedError()
"""

WRONG = {
    "copies chapter 9 without peepholes": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    dc = dc_later + dh * o * (1 - np.tanh(c) ** 2)
    delta = np.hstack([dc * c_tilde * i * (1 - i), dc * c_before * f * (1 - f),
                       dc * i * (1 - c_tilde**2), dh * np.tanh(c) * o * (1 - o)])
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": dc * f}
''', "ps5-arrows": '''
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    G = (np.diag(c_tilde * i * (1 - i)) @ W_i + np.diag(c_before * f * (1 - f)) @ W_f
         + np.diag(i * (1 - c_tilde**2)) @ W_c)
    return {"F": np.diag(f), "G": G, "E": np.diag(o * (1 - np.tanh(c) ** 2)),
            "O": np.diag(np.tanh(c) * o * (1 - o)) @ W_o}
'''},
        {"ps5-step-back-test": 4, "ps5-arrows-test": 3.5},
    ),
    "forgets the slope of tanh between memory and hidden state": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    d_o = dh * np.tanh(c) * o * (1 - o)
    dc = dc_later + dh * o + d_o * P["p_o"]
    d_f = dc * c_before * f * (1 - f)
    delta = np.hstack([dc * c_tilde * i * (1 - i), d_f, dc * i * (1 - c_tilde**2), d_o])
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": dc * f + d_f * P["p_f"]}
''', "ps5-arrows": '''
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    s_f, s_o = c_before * f * (1 - f), np.tanh(c) * o * (1 - o)
    G = np.diag(c_tilde * i * (1 - i)) @ W_i + np.diag(s_f) @ W_f + np.diag(i * (1 - c_tilde**2)) @ W_c
    return {"F": np.diag(f + s_f * P["p_f"]), "G": G, "E": np.diag(o + s_o * P["p_o"]), "O": np.diag(s_o) @ W_o}
'''},
        {"ps5-step-back-test": 5, "ps5-arrows-test": 4.5},
    ),
    "does not add what later steps say of the memory": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    d_o = dh * np.tanh(c) * o * (1 - o)
    dc = dh * o * (1 - np.tanh(c) ** 2) + d_o * P["p_o"]
    d_f = dc * c_before * f * (1 - f)
    delta = np.hstack([dc * c_tilde * i * (1 - i), d_f, dc * i * (1 - c_tilde**2), d_o])
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": dc * f + d_f * P["p_f"]}
'''},
        {"ps5-step-back-test": 5},
    ),
    "takes the new memory for the old one at the forget gate": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    d_o = dh * np.tanh(c) * o * (1 - o)
    dc = dc_later + dh * o * (1 - np.tanh(c) ** 2) + d_o * P["p_o"]
    d_f = dc * c * f * (1 - f)
    delta = np.hstack([dc * c_tilde * i * (1 - i), d_f, dc * i * (1 - c_tilde**2), d_o])
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": dc * f + d_f * P["p_f"]}
''', "ps5-arrows": '''
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    s_f, s_o = c * f * (1 - f), np.tanh(c) * o * (1 - o)
    G = np.diag(c_tilde * i * (1 - i)) @ W_i + np.diag(s_f) @ W_f + np.diag(i * (1 - c_tilde**2)) @ W_c
    E = o * (1 - np.tanh(c) ** 2) + s_o * P["p_o"]
    return {"F": np.diag(f + s_f * P["p_f"]), "G": G, "E": np.diag(E), "O": np.diag(s_o) @ W_o}
'''},
        {"ps5-step-back-test": 5.5, "ps5-arrows-test": 3.5},
    ),
    "forgets the slopes of the sigmoids": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    d_o = dh * np.tanh(c)
    dc = dc_later + dh * o * (1 - np.tanh(c) ** 2) + d_o * P["p_o"]
    d_f = dc * c_before
    delta = np.hstack([dc * c_tilde, d_f, dc * i * (1 - c_tilde**2), d_o])
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": dc * f + d_f * P["p_f"]}
''', "ps5-arrows": '''
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    G = np.diag(c_tilde) @ W_i + np.diag(c_before) @ W_f + np.diag(i * (1 - c_tilde**2)) @ W_c
    E = o * (1 - np.tanh(c) ** 2) + np.tanh(c) * P["p_o"]
    return {"F": np.diag(f + c_before * P["p_f"]), "G": G, "E": np.diag(E), "O": np.diag(np.tanh(c)) @ W_o}
'''},
        {"ps5-step-back-test": 4.5, "ps5-arrows-test": 2},
    ),
    "lets both gates see the old memory": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    dc = dc_later + dh * o * (1 - np.tanh(c) ** 2)
    d_f, d_o = dc * c_before * f * (1 - f), dh * np.tanh(c) * o * (1 - o)
    delta = np.hstack([dc * c_tilde * i * (1 - i), d_f, dc * i * (1 - c_tilde**2), d_o])
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"],
            "dc_before": dc * f + d_f * P["p_f"] + d_o * P["p_o"]}
'''},
        {"ps5-step-back-test": 4.5},
    ),
    "drops the output gate's dependence on the hidden state": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    d_o = dh * np.tanh(c) * o * (1 - o)
    dc = dc_later + dh * o * (1 - np.tanh(c) ** 2) + d_o * P["p_o"]
    d_i, d_f, d_c = dc * c_tilde * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - c_tilde**2)
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    return {"dc": dc, "delta": np.hstack([d_i, d_f, d_c, d_o]), "dh_before": d_i @ W_i + d_f @ W_f + d_c @ W_c,
            "dc_before": dc * f + d_f * P["p_f"]}
''', "ps5-arrows": '''
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    s_f, s_o = c_before * f * (1 - f), np.tanh(c) * o * (1 - o)
    G = np.diag(c_tilde * i * (1 - i)) @ W_i + np.diag(s_f) @ W_f + np.diag(i * (1 - c_tilde**2)) @ W_c
    E = o * (1 - np.tanh(c) ** 2) + s_o * P["p_o"]
    return {"F": np.diag(f + s_f * P["p_f"]), "G": G, "E": np.diag(E), "O": np.zeros((len(c), len(c)))}
'''},
        {"ps5-step-back-test": 5, "ps5-arrows-test": 4.5},
    ),
    "does not transpose": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    d_o = dh * np.tanh(c) * o * (1 - o)
    dc = dc_later + dh * o * (1 - np.tanh(c) ** 2) + d_o * P["p_o"]
    d_f = dc * c_before * f * (1 - f)
    deltas = [dc * c_tilde * i * (1 - i), d_f, dc * i * (1 - c_tilde**2), d_o]
    dh_before = sum(d @ W.T for d, W in zip(deltas, np.split(P["W_hh"], 4)))
    return {"dc": dc, "delta": np.hstack(deltas), "dh_before": dh_before, "dc_before": dc * f + d_f * P["p_f"]}
''', "ps5-detours": '''
def by_detours(F, G, E, O, dh, detours):
    T, H = dh.shape
    U, M = np.zeros((detours + 1, H)), np.zeros((detours + 1, H))
    for t in reversed(range(T)):
        M[0] += dh[t]
        dc = [U[d] + E[t] @ M[d] for d in range(detours + 1)]
        for d in range(detours + 1):
            U[d] = F[t] @ dc[d]
            M[d] = O[t] @ M[d] + (G[t] @ dc[d - 1] if d > 0 else 0)
    return U
''', "ps5-stays": '''
def by_stays(F, G, E, O, g, stays):
    H = len(g)
    U, M = np.zeros((stays + 1, H)), np.zeros((stays + 1, H))
    M[0] = g
    for t in reversed(range(len(F))):
        before = M.copy()
        for s in range(stays + 1):
            dc = U[s] + E[t] @ before[s]
            U[s] = F[t] @ dc
            M[s] = G[t] @ dc + (O[t] @ before[s - 1] if s > 0 else 0)
    return U
'''},
        {"ps5-step-back-test": 5, "ps5-paths-test": 3},
    ),
    "scales the columns of the weights instead of the rows": (
        {"ps5-arrows": '''
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    s_f, s_o = c_before * f * (1 - f), np.tanh(c) * o * (1 - o)
    E = o * (1 - np.tanh(c) ** 2) + s_o * P["p_o"]
    return {"F": np.diag(f + s_f * P["p_f"]), "E": np.diag(E), "O": s_o * W_o,
            "G": c_tilde * i * (1 - i) * W_i + s_f * W_f + i * (1 - c_tilde**2) * W_c}
'''},
        {"ps5-arrows-test": 3},
    ),
    "has the output gate before the candidate": (
        {"ps5-step-back": '''
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    d_o = dh * np.tanh(c) * o * (1 - o)
    dc = dc_later + dh * o * (1 - np.tanh(c) ** 2) + d_o * P["p_o"]
    d_f = dc * c_before * f * (1 - f)
    delta = np.hstack([dc * c_tilde * i * (1 - i), d_f, d_o, dc * i * (1 - c_tilde**2)])
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": dc * f + d_f * P["p_f"]}
''', "ps5-arrows": '''
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = gates["i"], gates["f"], gates["c_tilde"], gates["o"]
    W_i, W_f, W_o, W_c = np.split(P["W_hh"], 4)
    s_f, s_o = c_before * f * (1 - f), np.tanh(c) * o * (1 - o)
    G = np.diag(c_tilde * i * (1 - i)) @ W_i + np.diag(s_f) @ W_f + np.diag(i * (1 - c_tilde**2)) @ W_c
    E = o * (1 - np.tanh(c) ** 2) + s_o * P["p_o"]
    return {"F": np.diag(f + s_f * P["p_f"]), "G": G, "E": np.diag(E), "O": np.diag(s_o) @ W_o}
'''},
        {"ps5-step-back-test": 5, "ps5-arrows-test": 4},
    ),
    "has only E and O in the lower row of the joint Jacobian": (
        {"ps5-joint": '''
def joint(F, G, E, O):
    return np.block([[F, G], [E, O]])
'''},
        {"ps5-arrows-test": 4.5},
    ),
    "forgets E in the lower row of the joint Jacobian": (
        {"ps5-joint": '''
def joint(F, G, E, O):
    return np.block([[F, G], [F, G + O]])
'''},
        {"ps5-arrows-test": 4.5},
    ),
    "counts where a path leaves the highway": (
        {"ps5-detours": '''
def by_detours(F, G, E, O, dh, detours):
    T, H = dh.shape
    U, M = np.zeros((detours + 1, H)), np.zeros((detours + 1, H))
    for t in reversed(range(T)):
        M[0] += dh[t]
        dc = U.copy()
        dc[1:] += M[:-1] @ E[t]
        U, M = dc @ F[t], M @ O[t] + dc @ G[t]
    return U
'''},
        {"ps5-paths-test": 3},
    ),
    "has the highway and its exit alone": (
        {"ps5-detours": '''
def by_detours(F, G, E, O, dh, detours):
    T, H = dh.shape
    parts = np.zeros((detours + 1, H))
    U, M = np.zeros(H), np.zeros(H)
    for t in reversed(range(T)):
        M = M + dh[t]
        U, M = F[t].T @ (U + E[t].T @ M), O[t].T @ M
    parts[0] = U
    return parts
'''},
        {"ps5-paths-test": 2},
    ),
    "does not sort at all": (
        {"ps5-detours": '''
def by_detours(F, G, E, O, dh, detours):
    T, H = dh.shape
    parts = np.zeros((detours + 1, H))
    U, M = np.zeros(H), np.zeros(H)
    for t in reversed(range(T)):
        M = M + dh[t]
        dc = U + E[t].T @ M
        U, M = F[t].T @ dc, O[t].T @ M + G[t].T @ dc
    parts[0] = U
    return parts
'''},
        {"ps5-paths-test": 3},
    ),
    "takes the error at the last step alone": (
        {"ps5-detours": '''
def by_detours(F, G, E, O, dh, detours):
    T, H = dh.shape
    U, M = np.zeros((detours + 1, H)), np.zeros((detours + 1, H))
    M[0] = dh[-1]
    for t in reversed(range(T)):
        dc = U + M @ E[t]
        U, M = dc @ F[t], M @ O[t]
        M[1:] += dc[:-1] @ G[t]
    return U
'''},
        {"ps5-paths-test": 4},
    ),
    "counts detours in place of stays": (
        {"ps5-stays": '''
def by_stays(F, G, E, O, g, stays):
    dh = np.zeros((len(F), len(g)))
    dh[-1] = g
    return by_detours(F, G, E, O, dh, stays)
'''},
        {"ps5-paths-test": 3.5},
    ),
    "has one row too few": (
        {"ps5-detours": '''
def by_detours(F, G, E, O, dh, detours):
    T, H = dh.shape
    U, M = np.zeros((detours, H)), np.zeros((detours, H))
    for t in reversed(range(T)):
        M[0] += dh[t]
        dc = U + M @ E[t]
        U, M = dc @ F[t], M @ O[t]
        M[1:] += dc[:-1] @ G[t]
    return U
'''},
        {"ps5-paths-test": 4.5},
    ),
    "has done only question 1": (
        {f"ps5-{cell}": NOTHING.format(name) for cell, name in (
            ("arrows", "arrows"), ("joint", "joint"), ("detours", "by_detours"), ("stays", "by_stays"))},
        {"ps5-arrows-test": 0, "ps5-paths-test": 0},
    ),
}
