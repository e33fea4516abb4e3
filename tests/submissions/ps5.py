"""Wrong and partial answers to problem set 5 and their marks, written as `problem_sets.wrong_answers` says."""

WRONG = {
    "copies chapter 9 without peepholes": (
        {"ps5-step-back": {' + delta_o * P["p_o"]': "", ' + delta_f * P["p_f"]': ""},
         "ps5-arrows": {' + by_f * P["p_f"]': "", ' + by_o * P["p_o"]': ""}},
        {"ps5-step-back-test": 4, "ps5-arrows-test": 4},
    ),
    "forgets the slope of tanh between memory and hidden state": (
        {"ps5-step-back": {" * (1 - np.tanh(c) ** 2)": ""}, "ps5-arrows": {" * (1 - np.tanh(c) ** 2)": ""}},
        {"ps5-step-back-test": 5},
    ),
    "forgets the old memory at the forget gate, in the arrow G as well": (
        {"ps5-step-back": {"dc * c_before * f * (1 - f)": "dc * f * (1 - f)"},
         "ps5-arrows": {"by_f[:, None] * W_f": "(f * (1 - f))[:, None] * W_f"}},
        {"ps5-step-back-test": 5.5},
    ),
    "does not add what later steps say of the memory": (
        {"ps5-step-back": {"dc_later + ": ""}},
        {"ps5-step-back-test": 5},
    ),
    "takes the new memory for the old one at the forget gate": (
        {"ps5-step-back": {"c_before * f": "c * f"}, "ps5-arrows": {"c_before * f": "c * f"}},
        {"ps5-step-back-test": 5.5},
    ),
    "forgets the slopes of the sigmoids": (
        {f"ps5-{cell}": {" * i * (1 - i)": "", " * f * (1 - f)": "", " * o * (1 - o)": ""} for cell in ("step-back", "arrows")},
        {"ps5-step-back-test": 4.5},
    ),
    "lets both gates see the old memory": (
        {"ps5-step-back": {' + delta_o * P["p_o"]': "", 'delta_f * P["p_f"]': 'delta_f * P["p_f"] + delta_o * P["p_o"]'}},
        {"ps5-step-back-test": 4.5},
    ),
    "drops the output gate's dependence on the hidden state": (
        {"ps5-step-back": {'delta @ P["W_hh"]': 'delta[:, :-c.shape[1]] @ P["W_hh"][:-c.shape[1]]'},
         "ps5-arrows": {"by_o[:, None] * W_o": "np.zeros(W_o.shape)"}},
        {"ps5-step-back-test": 5, "ps5-arrows-test": 4.5},
    ),
    "does not transpose": (
        {"ps5-step-back": {'delta @ P["W_hh"]': 'sum(d @ W.T for d, W in zip(np.split(delta, 4, 1), np.split(P["W_hh"], 4)))'},
         **{f"ps5-{cell}": {f"@ {name}[t - 1]": f"@ {name}[t - 1].T" for name in "EFOG"} for cell in ("detours", "stays")}},
        {"ps5-step-back-test": 5, "ps5-paths-test": 4.5},
    ),
    "scales the columns of the weights instead of the rows": (
        {"ps5-arrows": {f"by_{gate}[:, None]": f"by_{gate}" for gate in "ifco"}},
        {"ps5-arrows-test": 4.5},
    ),
    "has the output gate before the candidate": (
        {"ps5-step-back": {"dc * i * (1 - c_tilde**2), delta_o": "delta_o, dc * i * (1 - c_tilde**2)"},
         "ps5-arrows": {"W_c, W_o =": "W_o, W_c ="}},
        {"ps5-step-back-test": 5, "ps5-arrows-test": 4},
    ),
    "has only E and O in the lower row of the joint Jacobian": (
        {"ps5-joint": {"[E @ F, E @ G + O]": "[E, O]"}},
        {"ps5-arrows-test": 4.5},
    ),
    "forgets E in the lower row of the joint Jacobian": (
        {"ps5-joint": {"E @ F, E @ G + O": "F, G + O"}},
        {"ps5-arrows-test": 4.5},
    ),
    "counts where a path leaves the highway": (
        {"ps5-detours": {
            "on_highway = U + M @ E[t - 1]": "on_highway = U.copy()\n        on_highway[1:] += M[:-1] @ E[t - 1]",
            "M[1:] += on_highway[:-1] @ G": "M += on_highway @ G",
        }},
        {"ps5-paths-test": 4},
    ),
    "has the highway and its exit alone": (
        {"ps5-detours": {"        M[1:] += on_highway[:-1] @ G[t - 1]\n": ""}},
        {"ps5-paths-test": 3.5},
    ),
    "does not sort at all": (
        {"ps5-detours": {"M[1:] += on_highway[:-1] @ G": "M += on_highway @ G"}},
        {"ps5-paths-test": 4},
    ),
    "takes the error at the last step alone": (
        {"ps5-detours": {"M[0] += dh[t - 1]": "M[0] += dh[t - 1] * (t == T)"}},
        {"ps5-paths-test": 4.5},
    ),
    "counts detours in place of stays": (
        {"ps5-stays": '''
def by_stays(F, G, E, O, g, stays):
    dh = np.zeros((len(F), len(g)))
    dh[-1] = g
    return by_detours(F, G, E, O, dh, stays)
'''},
        {"ps5-paths-test": 4},
    ),
    "has one row too few": (
        {"ps5-detours": {"(2, detours + 1, H)": "(2, detours, H)"}},
        {"ps5-paths-test": 4.5},
    ),
    "has done only question 1": (
        dict.fromkeys(["ps5-arrows", "ps5-joint", "ps5-detours", "ps5-stays"]),
        {"ps5-arrows-test": 0, "ps5-paths-test": 0},
    ),
    "forgets E in question 3": (
        {f"ps5-{cell}": {"U + M @ E[t - 1]": "U + M"} for cell in ("detours", "stays")},
        {"ps5-paths-test": 4.5},
    ),
    "forgets E in the paths by stays alone": (
        {"ps5-stays": {"U + M @ E[t - 1]": "U + M"}},
        {"ps5-paths-test": 4.5},
    ),
    "forgets F": (
        {"ps5-detours": {"on_highway @ F[t - 1]": "on_highway"}},
        {"ps5-paths-test": 4.5},
    ),
    "the E of the wrong step": (
        {"ps5-detours": {"M @ E[t - 1]": "M @ E[T - t]"}},
        {"ps5-paths-test": 4.5},
    ),
    "the wrong sign of the forget gate's slope": (
        {"ps5-arrows": {"c_before * f * (1 - f)": "c_before * f * (f - 1)"}},
        {"ps5-arrows-test": 4.5},
    ),
    # Each step seems right, and the whole is not.
    "c_t not held fixed in O, nor the memory in G": (
        {"ps5-arrows": {'    return {"F": np.diag(f + by_f * P["p_f"]),\n'
                '            "G": by_i': '    G = by_i[:, None] * W_i + by_f[:, None] * W_f + by_c[:, None] * W_c\n'
                '    E = np.diag(o * (1 - np.tanh(c) ** 2) + by_o * P["p_o"])\n'
                '    return {"F": np.diag(f + by_f * P["p_f"]),\n'
                '            "G": np.diag(f + by_f * P["p_f"]) + by_i',
                '"O": by_o': '"O": E @ G + by_o'}},
        {"ps5-arrows-test": 4.5},
    ),
    "c_t not held fixed in O": (
        {"ps5-arrows": {'"O": by_o[:, None] * W_o': '"O": by_o[:, None] * W_o + np.diag(o * (1 - np.tanh(c) ** 2) + by_o * P["p_o"]) @ (by_i[:, None] * W_i + by_f[:, None] * W_f + by_c[:, None] * W_c)'}},
        {"ps5-arrows-test": 4.5},
    ),
    "a peephole in O": (
        {"ps5-arrows": {'"O": by_o[:, None] * W_o': '"O": by_o[:, None] * (W_o + np.diag(P["p_o"]))'}},
        {"ps5-arrows-test": 4.5},
    ),
    "a peephole in G": (
        {"ps5-arrows": {'by_f[:, None] * W_f': 'by_f[:, None] * (W_f + np.diag(P["p_f"]))'}},
        {"ps5-arrows-test": 4.5},
    ),
    "a constant added to G": (
        {"ps5-arrows": {'by_c[:, None] * W_c': 'by_c[:, None] * W_c + 7'}},
        {"ps5-arrows-test": 4.5},
    ),
    "a constant added to O": (
        {"ps5-arrows": {'"O": by_o[:, None] * W_o': '"O": by_o[:, None] * W_o + 9'}},
        {"ps5-arrows-test": 4.5},
    ),
    "errors before the last step on paths without detours alone": (
        {"ps5-detours": {'    U, M = np.zeros((2, detours + 1, H))\n': '    if detours and dh[:-1].any() and G.any():\n'
                '        early = dh * (np.arange(T) < T - 1)[:, None]\n'
                '        late = by_detours(F, G, E, O, dh - early, detours)\n'
                '        late[0] += by_detours(F, 0 * G, E, O, early, 0)[0]\n'
                '        return late\n'
                '    U, M = np.zeros((2, detours + 1, H))\n'}},
        {"ps5-paths-test": 4.5},
    ),
    "sorts the paths of one unit alone": (
        {"ps5-detours": {"return U": "return U if H == 1 else U[::-1]"}},
        {"ps5-paths-test": 4.5},
    ),
    "sorts the stays of one unit alone": (
        {"ps5-stays": {"return U": "return U if len(g) == 1 else U[::-1]"}},
        {"ps5-paths-test": 4.5},
    ),
    "the joint Jacobian without the sign of E F": (
        {"ps5-joint": {"[E @ F, E @ G + O]": "[np.abs(E @ F), E @ G + O]"}},
        {"ps5-arrows-test": 4.5},
    ),
    # One mistake, on which much rests.
    "counts from 0, with the error of the step before, and at the first step that of the last": (
        {"ps5-detours": {"range(T, 0, -1)": "range(T - 1, -1, -1)"} | {f"{name}[t - 1]": f"{name}[t]" for name in "EFOG"}},
        {"ps5-paths-test": 4.5},
    ),
    "exchanges G and O": (
        {"ps5-detours": {"M @ O[t - 1]": "M @ G[t - 1]", "on_highway[:-1] @ G": "on_highway[:-1] @ O"},
         "ps5-stays": {"M @ O[t - 1]": "M @ G[t - 1]", "on_highway @ G": "on_highway @ O"}},
        {"ps5-paths-test": 4},
    ),
    "exchanges G and O in the paths by stays alone": (
        {"ps5-stays": {"M @ O[t - 1]": "M @ G[t - 1]", "on_highway @ G": "on_highway @ O"}},
        {"ps5-paths-test": 4.5},
    ),
    "forgets O in the paths by detours": (
        {"ps5-detours": {'M @ O[t - 1]': '0 * M'}},
        {"ps5-paths-test": 4.5},
    ),
    "rows that add up those before them": (
        {"ps5-detours": {'return U': 'return np.cumsum(U, axis=0)'}},
        {"ps5-paths-test": 4},
    ),
    "one peephole in the place of the other, in dc": (
        {"ps5-step-back": {'delta_o * P["p_o"]': 'delta_o * P["p_f"]'}},
        {"ps5-step-back-test": 5},
    ),
    "one peephole in the place of the other, in dc_before": (
        {"ps5-step-back": {'delta_f * P["p_f"]': 'delta_f * P["p_o"]'}},
        {"ps5-step-back-test": 5},
    ),
    "each peephole in the place of the other": (
        {"ps5-step-back": {'delta_o * P["p_o"]': 'delta_o * P["p_f"]', 'delta_f * P["p_f"]': 'delta_f * P["p_o"]'}},
        {"ps5-step-back-test": 5},
    ),
    "each peephole in the place of the other, in the arrows": (
        {"ps5-arrows": {'by_o * P["p_o"]': 'by_o * P["p_f"]', 'by_f * P["p_f"]': 'by_f * P["p_o"]'}},
        {"ps5-arrows-test": 4},
    ),
    "the output gate's signal without its peephole": (
        {"ps5-step-back": {'delta_o * P["p_o"]': 'delta_o'}},
        {"ps5-step-back-test": 5},
    ),
    "the diagonals of F and E": (
        {"ps5-arrows": {'np.diag(f + by_f * P["p_f"])': 'f + by_f * P["p_f"]',
                        'np.diag(o * (1 - np.tanh(c) ** 2) + by_o * P["p_o"])': 'o * (1 - np.tanh(c) ** 2) + by_o * P["p_o"]'}},
        {"ps5-arrows-test": 4},
    ),
    "forgets the first step in the paths by detours": (
        {"ps5-detours": {"range(T, 0, -1)": "range(T, 1, -1)"}},
        {"ps5-paths-test": 4},
    ),
    "forgets the first step in question 3": (
        {"ps5-detours": {"range(T, 0, -1)": "range(T, 1, -1)"}, "ps5-stays": {"range(len(F), 0, -1)": "range(len(F), 1, -1)"}},
        {"ps5-paths-test": 4},
    ),
    "forgets the first step in the paths by stays": (
        {"ps5-stays": {"range(len(F), 0, -1)": "range(len(F), 1, -1)"}},
        {"ps5-paths-test": 4.5},
    ),
    "goes forwards through the steps by detours": (
        {"ps5-detours": {"range(T, 0, -1)": "range(1, T + 1)"}},
        {"ps5-paths-test": 4},
    ),
    "goes forwards through the steps in question 3": (
        {"ps5-detours": {"range(T, 0, -1)": "range(1, T + 1)"}, "ps5-stays": {"range(len(F), 0, -1)": "range(1, len(F) + 1)"}},
        {"ps5-paths-test": 4},
    ),
    "scales the columns in G alone": (
        {"ps5-arrows": {f"by_{gate}[:, None]": f"by_{gate}" for gate in "ifc"}},
        {"ps5-arrows-test": 4.5},
    ),
    "G transposed": (
        {"ps5-arrows": {"by_i[:, None] * W_i + by_f[:, None] * W_f + by_c[:, None] * W_c": "(by_i[:, None] * W_i + by_f[:, None] * W_f + by_c[:, None] * W_c).T"}},
        {"ps5-arrows-test": 4.5},
    ),
    "the opposite sign of G": (
        {"ps5-arrows": {"by_i[:, None] * W_i + by_f[:, None] * W_f + by_c[:, None] * W_c": "-(by_i[:, None] * W_i + by_f[:, None] * W_f + by_c[:, None] * W_c)"}},
        {"ps5-arrows-test": 4.5},
    ),
    "a detour without its G": (
        {"ps5-detours": {"on_highway[:-1] @ G[t - 1]": "on_highway[:-1]"}},
        {"ps5-paths-test": 4.5},
    ),
    "the error of a step after its arrows": (
        {"ps5-detours": {"        M[0] += dh[t - 1]\n": "", "@ G[t - 1]\n": "@ G[t - 1]\n        M[0] += dh[t - 1]\n"}},
        {"ps5-paths-test": 4.5},
    ),
    "the opposite sign of E": (
        {"ps5-detours": {"U + M @ E": "U - M @ E"}},
        {"ps5-paths-test": 4.5},
    ),
    "adds to what it is given": (
        {"ps5-step-back": {"dc = dc_later + dh * o": "dc = dc_later\n    dc += dh * o"}},
        {"ps5-step-back-test": 5.5},
    ),
    "transposes one kind of arrow": (
        {f"ps5-{cell}": {"@ G[t - 1]": "@ G[t - 1].T"} for cell in ("detours", "stays")},
        {"ps5-paths-test": 4.5},
    ),
    "transposes the blocks of W_hh": (
        {"ps5-arrows": {'[:, None] * W_i': '[:, None] * W_i.T',
                '[:, None] * W_f': '[:, None] * W_f.T',
                '[:, None] * W_c': '[:, None] * W_c.T',
                '[:, None] * W_o': '[:, None] * W_o.T'}},
        {"ps5-arrows-test": 4.5},
    ),
}


# Answers that ignore what they must depend on, but whose numbers fit each other: they earn what other functions do, in the same test.
IGNORES = {
    "constants, and all right from them": (
        {
            "ps5-step-back": """
def step_back(P, gates, c_before, c, dh, dc_later):
    K = 0.3 * np.arange(1.0, 1 + c.size).reshape(c.shape)
    delta = np.hstack([K, 2 * K, 3 * K, K])
    _, delta_f, _, delta_o = np.split(delta, 4, axis=1)
    dc = K + delta_o * P["p_o"]
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": (K + K * P["p_o"]) * gates["f"] + delta_f * P["p_f"]}
""",
        },
        {"ps5-step-back-test": 0},
    ),
    "the gates for delta": (
        {
            "ps5-step-back": """
def step_back(P, gates, c_before, c, dh, dc_later):
    K = 0.3 * np.arange(1.0, 1 + c.size).reshape(c.shape)
    delta = np.hstack([gates[name] for name in ("i", "f", "c_tilde", "o")])
    _, delta_f, _, delta_o = np.split(delta, 4, axis=1)
    dc = K + delta_o * P["p_o"]
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": dc_later + delta_f * P["p_f"]}
""",
        },
        {"ps5-step-back-test": 0},
    ),
    "dh for delta": (
        {
            "ps5-step-back": """
def step_back(P, gates, c_before, c, dh, dc_later):
    K = 0.3 * np.arange(1.0, 1 + c.size).reshape(c.shape)
    delta = np.hstack([2 * dh] * 4)
    _, delta_f, _, delta_o = np.split(delta, 4, axis=1)
    dc = K + delta_o * P["p_o"]
    return {"dc": dc, "delta": delta, "dh_before": delta @ P["W_hh"], "dc_before": dc_later + delta_f * P["p_f"]}
""",
        },
        {"ps5-step-back-test": 0},
    ),
    "a memory's signal that takes back what the peephole adds": (
        {
            "ps5-step-back": """
def step_back(P, gates, c_before, c, dh, dc_later):
    K = dh * c_before * gates["f"]
    dc = dh * c - K * P["p_f"] / gates["f"]
    return {"dc": dc, "delta": np.hstack([K, K, K, 0 * K]), "dh_before": 0 * K, "dc_before": 0 * K}
""",
        },
        {"ps5-step-back-test": 0},
    ),
    "vectors for the diagonals, of constants": (
        {
            "ps5-arrows": """
def arrows(P, gates, c_before, c):
    one = np.arange(1.0, 1 + c.size)
    return {"F": one, "G": 0 * P["W_hh"][:c.size], "E": one * P["p_o"], "O": 0 * P["W_hh"][:c.size]}
""",
        },
        {"ps5-arrows-test": 1},
    ),
    "one step alone, in both functions": (
        {
            "ps5-detours": """
def by_detours(F, G, E, O, dh, detours):
    return np.append([dh[-1] @ E[-1] @ F[-1]], np.zeros((detours, dh.shape[1])), axis=0)
""",
            "ps5-stays": """
def by_stays(F, G, E, O, g, stays):
    return by_detours(F, G, E, O, g[None], stays)
""",
        },
        {"ps5-paths-test": 0},
    ),
    "one step alone, the first": (
        {
            "ps5-detours": """
def by_detours(F, G, E, O, dh, detours):
    return np.append([dh[-1] @ E[0] @ F[0]], np.zeros((detours, dh.shape[1])), axis=0)
""",
        },
        {"ps5-paths-test": 1.5},
    ),
    "the sum of the errors in each row, in both functions": (
        {
            "ps5-detours": """
def by_detours(F, G, E, O, dh, detours):
    return np.tile(dh.sum(axis=0), (detours + 1, 1))
""",
            "ps5-stays": """
def by_stays(F, G, E, O, g, stays):
    return np.tile(g, (stays + 1, 1))
""",
        },
        {"ps5-paths-test": 0},
    ),
    "constants for the slopes": (
        {
            "ps5-step-back": """
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = ((1 + k) * np.arange(1.0, 1 + c.shape[-1]) for k in range(4))
    dc = dc_later + dh * np.arange(1.0, 1 + c.shape[-1])
    return {"dc": dc, "delta": np.hstack([dc * i, dc * f, dc * c_tilde, dh * o]), "dh_before": 0 * dh, "dc_before": 0 * dh}
""",
            "ps5-arrows": """
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = ((1 + k) * np.arange(1.0, 1 + c.shape[-1]) for k in range(4))
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    return {"F": np.diag(f * P["p_f"]), "G": i[:, None] * W_i + f[:, None] * W_f + c_tilde[:, None] * W_c,
            "E": np.diag(np.arange(1.0, 1 + c.shape[-1]) + o * P["p_o"]), "O": o[:, None] * W_o}
""",
        },
        {"ps5-step-back-test": 0, "ps5-arrows-test": 1},
    ),
    "constants for the slopes, in question 2 alone": (
        {
            "ps5-arrows": """
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = ((1 + k) * np.arange(1.0, 1 + c.shape[-1]) for k in range(4))
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    return {"F": np.diag(f * P["p_f"]), "G": i[:, None] * W_i + f[:, None] * W_f + c_tilde[:, None] * W_c,
            "E": np.diag(np.arange(1.0, 1 + c.shape[-1]) + o * P["p_o"]), "O": o[:, None] * W_o}
""",
        },
        {"ps5-arrows-test": 1},
    ),
    "constants times a gate for the slopes": (
        {
            "ps5-step-back": """
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = ((1 + k) * gates["i"].mean() * np.arange(1.0, 1 + c.shape[-1]) for k in range(4))
    dc = dc_later + dh * gates["i"].mean() * np.arange(1.0, 1 + c.shape[-1])
    return {"dc": dc, "delta": np.hstack([dc * i, dc * f, dc * c_tilde, dh * o]), "dh_before": 0 * dh, "dc_before": 0 * dh}
""",
            "ps5-arrows": """
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = ((1 + k) * gates["i"].mean() * np.arange(1.0, 1 + c.shape[-1]) for k in range(4))
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    return {"F": np.diag(f * P["p_f"]), "G": i[:, None] * W_i + f[:, None] * W_f + c_tilde[:, None] * W_c,
            "E": np.diag(gates["i"].mean() * np.arange(1.0, 1 + c.shape[-1]) + o * P["p_o"]), "O": o[:, None] * W_o}
""",
        },
        {"ps5-step-back-test": 0, "ps5-arrows-test": 1},
    ),
    "constants times a gate for the slopes, in question 2 alone": (
        {
            "ps5-arrows": """
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = ((1 + k) * gates["i"].mean() * np.arange(1.0, 1 + c.shape[-1]) for k in range(4))
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    return {"F": np.diag(f * P["p_f"]), "G": i[:, None] * W_i + f[:, None] * W_f + c_tilde[:, None] * W_c,
            "E": np.diag(gates["i"].mean() * np.arange(1.0, 1 + c.shape[-1]) + o * P["p_o"]), "O": o[:, None] * W_o}
""",
        },
        {"ps5-arrows-test": 1},
    ),
    "the states for the slopes": (
        {
            "ps5-step-back": """
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = ((1 + k) * c for k in range(4))
    dc = dc_later + dh * c
    return {"dc": dc, "delta": np.hstack([dc * i, dc * f, dc * c_tilde, dh * o]), "dh_before": 0 * dh, "dc_before": 0 * dh}
""",
            "ps5-arrows": """
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = ((1 + k) * c for k in range(4))
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    return {"F": np.diag(f * P["p_f"]), "G": i[:, None] * W_i + f[:, None] * W_f + c_tilde[:, None] * W_c,
            "E": np.diag(c + o * P["p_o"]), "O": o[:, None] * W_o}
""",
        },
        {"ps5-step-back-test": 0, "ps5-arrows-test": 1},
    ),
    "the states for the slopes, in question 2 alone": (
        {
            "ps5-arrows": """
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = ((1 + k) * c for k in range(4))
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    return {"F": np.diag(f * P["p_f"]), "G": i[:, None] * W_i + f[:, None] * W_f + c_tilde[:, None] * W_c,
            "E": np.diag(c + o * P["p_o"]), "O": o[:, None] * W_o}
""",
        },
        {"ps5-arrows-test": 1},
    ),
    # E without the peephole is that of an answer which forgets the slope of tanh in both questions.
    "the gates for the slopes": (
        {
            "ps5-step-back": """
def step_back(P, gates, c_before, c, dh, dc_later):
    i, f, c_tilde, o = (gates[name] for name in ("i", "f", "c_tilde", "o"))
    dc = dc_later + dh * gates["o"]
    return {"dc": dc, "delta": np.hstack([dc * i, dc * f, dc * c_tilde, dh * o]), "dh_before": 0 * dh, "dc_before": 0 * dh}
""",
            "ps5-arrows": """
def arrows(P, gates, c_before, c):
    i, f, c_tilde, o = (gates[name] for name in ("i", "f", "c_tilde", "o"))
    W_i, W_f, W_c, W_o = np.split(P["W_hh"], 4)
    return {"F": np.diag(f * P["p_f"]), "G": i[:, None] * W_i + f[:, None] * W_f + c_tilde[:, None] * W_c,
            "E": np.diag(gates["o"] + o * P["p_o"]), "O": o[:, None] * W_o}
""",
        },
        {"ps5-step-back-test": 0, "ps5-arrows-test": 1.5},
    ),
    "constants in the rows of c_t, and the others from them": (
        {
            "ps5-joint": """
def joint(F, G, E, O):
    K = np.arange(1.0, 1 + 2 * F.size).reshape(len(F), -1)
    return np.vstack([K, E @ K + np.hstack([0 * O, O])])
""",
        },
        {"ps5-arrows-test": 4},
    ),
    "the arrows, handed back": (
        {
            "ps5-joint": """
def joint(F, G, E, O):
    return np.block([[F, F], [F, F]])
""",
        },
        {"ps5-arrows-test": 4},
    ),
}
