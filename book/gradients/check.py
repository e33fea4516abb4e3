"""Is this gradient right? Analytic gradients against central differences (chapter 1).

A central difference (f(x + s) - f(x - s)) / 2s has two errors: the truncated Taylor series, of order s^2,
and the rounding of f, of order eps |f| / s. Their sum is smallest near s = cbrt(eps), 6e-6 in float64
(Nocedal & Wright, Numerical Optimization, 2nd ed., section 8.1).

A kink within the step, at distance d, where the slope jumps by J, is a third: J (1 - d/s) / 2, which no s > d
makes small. The two one-sided differences tell: their gap is s f'' where f is smooth, J (1 - d/s) at a kink.
From two steps h and h/4, with slopes D and gaps G, all three errors of D(h/4) can be estimated:

    E = max(|D(h) - D(h/4)|, |G(h) - 4 G(h/4)| / 4)

The first is 15 times the truncation and, of rounding, about what D(h/4) has itself. In the second a smooth f
leaves nothing but rounding. Together they are at least the error that one kink makes, wherever it lies.

f is rounded inside, too: 1 - cos(x) near 0 is about as wrong as 1 is, not as f is. How wrong shows in how its values
scatter: what is left of nine of them after a fit by a polynomial of degree 3 (as with the difference tables of
Moré & Wild, Estimating computational noise, SIAM J. Sci. Comput. 33, 2011; but here the points are unevenly spaced:
at even ones the same roundings may meet again and hide the noise). Where f stands still at small steps, its first jump
shows how wrong it is.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gradients.validation import as_array

__all__ = ["GradientCheck", "central_differences", "gradient_check"]

SEEN = 5e-4    # an entry counts as checked if an error of this part of it would have shown
SHRINK = 4     # from one step to the next
MOST_DOWN = 14   # times; from 6e-6 to 2e-14
LARGEST = 0.05 # step, times max(1, |x_i|)
FAR = 2        # likewise, where f stands still
NOISY = 64     # roundings of f: more is unusual
REPEATS = 8    # of f at the same point before anything is blamed on the gradient
ROUGH = 16     # likewise, of f or of a number near 1: f isn't smooth at the step
BLAME = 3      # times the error allowed, where this is more than rtol: less is doubt
HALVINGS = 12  # to find where f jumps
OTHERS = (0.71, 1.37)  # times the first step: second opinions
PARTS = np.sort(np.arange(9) * (math.sqrt(5) - 1) / 2 % 1)  # of a step, where the noise of f is measured
CUBIC = np.linalg.qr(np.vander(PARTS, 4))[0]
NOT_CUBIC = np.eye(len(PARTS)) - CUBIC @ CUBIC.T


def _positive(argument, value):
    if not (np.isscalar(value) and np.isreal(value) and np.isfinite(value) and value > 0):
        raise ValueError(f"{argument}: got {value!r}, want a finite number > 0")


def _call(f, values):
    """f at a copy of `values`, an array or a dict of arrays: a NumPy number, finite or not."""
    named = values if isinstance(values, dict) else {"argument": values}
    copies = {name: x.copy() for name, x in named.items()}
    value = np.asarray(f(dict(copies) if named is values else copies["argument"]))
    for name, x in named.items():
        if not np.array_equal(copies[name], x):
            raise ValueError(f"f: got its {name} changed in place, want it left alone (let f work on a copy)")
    if value.shape != () or value.dtype.kind not in "fiu":
        raise ValueError(f"f: got {value!r}, want one finite number")
    return value


def _finite(value):
    if not np.isfinite(value):
        raise ValueError(f"f: got {value!r}, want one finite number")
    return float(value)


def _same(first, again):
    """ValueError: f isn't a function of its argument. A few units of the last digit are rounding."""
    if not abs(float(again) - float(first)) <= 4 * _eps(first) * abs(float(first)):
        raise ValueError(f"f: got {float(first):.6g} and then {float(again):.6g} at the same point, want the same number each "
                         "time\n(is it random, as with dropout, or does it remember earlier calls?)")


def _eps(value):
    return float(np.finfo(value.dtype if value.dtype.kind == "f" else float).eps)


def central_differences(
    f: Callable[[np.ndarray], float], x: np.ndarray, step: float | None = None
) -> np.ndarray:
    """df/dx entry by entry, (f(x + s) - f(x - s)) / 2s: an array like x (chapter 1).

    f     takes an array like x (a copy), returns a finite number, the same at the same point
    x     any shape, finite, never modified; float32 is kept, integers become float64
    step  s for every entry; None: cbrt(eps) max(1, |x_i|), with the eps of x's dtype

    2 x.size calls of f, and one more that repeats the first.
    ValueError: x or a value of f isn't finite, f doesn't return a number, returns another at the same point or
    changes its argument, step isn't positive.
    """
    x = as_array("x", x)
    if step is not None:
        _positive("step", step)
    steps = _default_steps(x, float(np.finfo(x.dtype).eps)) if step is None else np.full_like(x, step)
    point, slope, first = x.copy(), np.empty_like(x), None
    for i in np.ndindex(x.shape):
        above, below = x[i] + steps[i], x[i] - steps[i]
        if above == below:
            raise ValueError(f"step: got {steps[i]:.3g}, want one that changes x{list(i)} = {x[i]:.3g}")
        point[i] = above
        f_above = _call(f, point)
        if first is None:
            first = f_above
            _finite(first)
            _same(first, _call(f, point))
        point[i] = below
        f_below = _call(f, point)
        point[i] = x[i]
        slope[i] = (_finite(f_above) - _finite(f_below)) / float(above - below)
    return slope


def _default_steps(x, eps):
    return np.cbrt(eps) * np.maximum(1, np.abs(x.astype(float)))


def _power_of_ten(bound):
    """Rounded up, so that what is printed doesn't depend on how a processor rounds."""
    return f"1e{math.ceil(round(math.log10(bound), 6))}"


def _label(name, index):
    return f"{name}[{', '.join(map(str, index))}]" if index else name


@dataclass
class GradientCheck:
    """The outcome of `gradient_check`; true if every entry was checked and agrees.

    ok              whether that is so
    relative_error  the error at the worst entry: if it failed, relative to the larger of its two numbers below;
                    if all agree, relative to the largest entry of its array
    worst           the name of the array where the worst entry is
    index           where in that array
    analytic        the given gradient there
    numeric         the central difference there
    tolerance       what was allowed. At an entry that failed: there. Else the largest error of any entry that may
                    have gone unseen, relative to the largest entry of its array; at least rtol
    entries         how many entries there are
    wrong           the entries that disagree, as pairs (name of the array, index); and so the next three
    kinks           not checked: f has a kink (or a jump) there, or so close that no usable step leaves it out
    too_small       not checked: too small to be told from the rounding of f
    not_finite      not checked: f isn't finite at the points next to x
    """

    ok: bool
    relative_error: float
    worst: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    tolerance: float
    entries: int = 0
    wrong: tuple[tuple[str, tuple[int, ...]], ...] = ()
    kinks: tuple[tuple[str, tuple[int, ...]], ...] = ()
    too_small: tuple[tuple[str, tuple[int, ...]], ...] = ()
    not_finite: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def checked(self) -> int:
        """How many entries could be checked: those that agree and those that are wrong."""
        return self.entries - len(self.kinks) - len(self.too_small) - len(self.not_finite)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.ok:
            return f"gradient check passed: relative error < {_power_of_ten(self.tolerance)}"
        if self.wrong:
            lines = [f"gradient check failed at {_label(self.worst, self.index)}: "
                     f"analytic {self.analytic:.3g}, central difference {self.numeric:.3g}",
                     f"relative error {self.relative_error:.3g}, allowed {_power_of_ten(self.tolerance)}"]
        else:
            lines = [f"gradient check incomplete: {self.checked} of {self.entries} entries checked, and they agree"
                     if self.checked else f"gradient check impossible: none of {self.entries} entries could be checked"]
        for places, why in ((self.kinks, "at a kink or a jump of f"),
                            (self.too_small, "too small to be told from the rounding of f"),
                            (self.not_finite, "where f is not finite nearby")):
            if places:
                lines.append(f"not checked: {len(places)} {why}, the first {_label(*places[0])}")
        return "\n".join(lines)


@dataclass
class _Difference:
    """f along one entry, at x - s, x and x + s."""

    step: float
    slope: float      # central, (f(x + s) - f(x - s)) / 2s
    gap: float        # one-sided slope on the right less that on the left
    rounding: float   # what one rounding of f does to the slope

    @property
    def finite(self):
        return math.isfinite(self.slope) and math.isfinite(self.gap)


@dataclass
class _Line:
    """f as a function of one entry, whose value is x."""

    along: Callable
    x: np.floating
    f_x: float
    eps: float

    @property
    def unit(self):
        """One rounding of f, or of a number near 1 inside f."""
        return self.eps * max(1, abs(self.f_x))

    def difference(self, step):
        with np.errstate(over="ignore"):
            above, below = self.x + self.x.dtype.type(step), self.x - self.x.dtype.type(step)
        if not (np.isfinite(above) and np.isfinite(below) and below < self.x < above):
            return _Difference(step, math.nan, math.nan, math.inf)
        f_above, f_below = self.along(above), self.along(below)
        left, right = float(self.x) - float(below), float(above) - float(self.x)
        return _Difference(step, (f_above - f_below) / (left + right),
                           (f_above - self.f_x) / right - (self.f_x - f_below) / left,
                           self.eps * max(abs(f_above), abs(self.f_x), abs(f_below)) / step)

    def at(self, shift):
        return self.along(self.x + self.x.dtype.type(shift))

    def scatter(self, step):
        """The standard deviation of the noise of f within the step, on the side where f is smoother (it may have a kink)."""
        def on_one_side(step):
            left = NOT_CUBIC @ [self.f_x, *(self.at(part * step) for part in PARTS[1:])]
            largest = np.abs(left).max()
            return largest and float(largest * np.linalg.norm(left / largest) / math.sqrt(len(PARTS) - 4))

        with np.errstate(over="ignore", invalid="ignore"):
            return min(filter(math.isfinite, (on_one_side(step), on_one_side(-step))), default=0.0)

    def jump(self, still, moving):
        """By how much f jumps where it first moves, between two steps: about 0 if it doesn't jump."""
        def change(shift):
            return abs(self.at(shift) - self.f_x)

        side = 1 if change(moving) else -1
        size = change(side * moving)
        for _ in range(HALVINGS):
            middle = (still + moving) / 2
            here = change(side * middle)
            still, moving, size = (still, middle, here) if here else (middle, moving, size)
        return size


@dataclass
class _Verdict:
    """What became of one entry."""

    outcome: str      # "agrees", or the name of a list in GradientCheck
    numeric: float
    allowed: float    # the error allowed, absolute
    unseen: float     # the error that may have gone unseen, absolute
    plain: bool = False  # whether no step speaks for the gradient
    noisy: bool = False  # whether f turned out to be much rougher than one rounding makes it


@dataclass
class _Demand:
    """How closely an entry whose analytic gradient is g is to be looked at."""

    g: float
    largest: float    # of its array
    rtol: float
    most_up: int      # how often the step may grow by SHRINK

    @property
    def tight(self):
        """The error allowed to a difference that is itself exact."""
        return max(self.rtol * abs(self.g), min(self.rtol * self.largest, SEEN * abs(self.g)))

    def own(self, numeric):
        """An error so small that a wrong entry of this size would show."""
        return max(SEEN, self.rtol) * max(abs(self.g), abs(numeric))


def _first_look(line, first, demand):
    """A verdict if the difference agrees, sees enough and shows no sign of a kink; else None.

    How noisy f is isn't known yet. So it must see enough even if that is NOISY roundings of f, and agree more
    closely than by luck.
    """
    error, own = abs(first.slope - demand.g), demand.own(demand.g)
    allowed = max(demand.rtol * abs(demand.g), min(max(demand.rtol * demand.largest, 8 * first.rounding), own / 10))
    smooth = abs(first.gap) <= max(2 * own, 16 * first.rounding)
    if first.finite and error <= allowed and NOISY * first.rounding <= own > 0 and smooth:
        return _Verdict("agrees", first.slope, allowed, error + first.rounding)
    return None


def _flat(line, first, demand):
    """A verdict if f is the same on both sides at two steps, as the gradient 0 says, and it isn't a kink; else None.

    It counts only if rounding can't hide a slope that matters: one of rtol of the largest entry, or of the slopes at
    the larger step. If f stands still, it must first move at a kink, not by a jump as if it were rounded.
    """
    if not demand.g == first.slope == 0:
        return None
    times = SHRINK**demand.most_up
    far = line.difference(first.step * times)
    if first.gap == 0:
        flat = far.slope == far.gap == 0
        if not (flat and line.unit / far.step <= demand.rtol * demand.largest) and _creeps(line, far if flat else first):
            return _Verdict("too_small", 0.0, math.inf, math.inf)
    elif not (far.slope == 0 and abs(far.gap) >= times / 2 * abs(first.gap)
              and far.rounding <= demand.rtol * max(demand.largest, abs(far.gap))):
        return None
    return _Verdict("agrees", 0.0, 0.0, 0.0)


def _creeps(line, still):
    """Whether f, which stands still at this step, moves by a jump at a larger one: so it may have a slope."""
    while still.step < FAR * max(1, abs(float(line.x))):
        moving = line.difference(SHRINK * still.step)
        if not moving.finite:
            return False
        if moving.slope or moving.gap:
            change = max(abs(moving.slope), abs(moving.gap)) * moving.step
            return line.jump(still.step, moving.step) >= change / 64
        still = moving
    return False


class _Ladder:
    """Differences at the steps s 4^-k, k = 0, 1, ... smaller and k = -1, -2, ... larger than the first, s."""

    def __init__(self, line, first):
        self._line = line
        self.rungs = {0: first}
        self.judged = set()
        self.errors = {}  # k -> E of the slope at k, from k - 1 and k
        self.coarsest = -math.inf  # larger steps are left out
        self.noise = 0.0  # of f, as far as it was measured
        self.stairs = False  # whether f turned out to be rounded to few digits, or a staircase
        self._measured = set()

    def __getitem__(self, k):
        if k not in self.rungs:
            self.rungs[k] = self._line.difference(self.rungs[0].step / SHRINK**k)
        return self.rungs[k]

    def judge(self, k):
        self.judged.add(k)
        coarse, fine = self[k - 1], self[k]
        if coarse.finite and fine.finite:
            self.errors[k] = max(abs(coarse.slope - fine.slope), abs(coarse.gap - SHRINK * fine.gap) / SHRINK)

    def rounding(self, k):
        """What the noise of f does to the slope at k."""
        return max(self[k].rounding, self.noise / self[k].step)

    def allowed(self, k):
        """The error allowed at k. Noise in f grows by 4 from rung to rung: the next two tell how much there is."""
        error = max(self.errors[j] / SHRINK**(j - k) for j in (k, k + 1, k + 2) if j in self.errors)
        return 4 * error + 2 * self.rounding(k)

    def best(self):
        """k and the error allowed there."""
        return min(((k, self.allowed(k)) for k in self.errors), key=lambda pair: pair[1], default=(0, math.inf))

    def still(self, k):
        return self[k].slope == self[k].gap == 0

    def contradicted(self, k):
        """The next smaller step at which f has another slope than at k, beyond all noise; or None."""
        return next((j for j in sorted(self.errors) if j > k and
                     abs(self[j].slope - self[k].slope) > self.allowed(k) + 8 * self.rounding(j)), None)

    def leave_out_above(self, k):
        if k not in self.errors:
            self.judge(k)
        self.errors = {j: error for j, error in self.errors.items() if j >= k}
        self.coarsest = k

    def measure(self, k):
        """Measure the noise of f at the step k, if that wasn't done; whether it is more than was known."""
        if k in self._measured:
            return False
        self._measured.add(k)
        known = max(self.noise, self[k].rounding * self[k].step)
        noise = self._quantum() if self.still(k) else self._line.scatter(self[k].step)
        if noise > ROUGH * self._line.unit:
            self.stairs |= self.still(k) or self._stands_still(noise, self[k].slope)
            if not self.stairs and k < MOST_DOWN:  # a wave?
                self.leave_out_above(k + 1)
                return True
        self.noise = max(self.noise, noise)
        return noise > known

    def _stands_still(self, noise, slope):
        """Whether f keeps its value at a step at which it should change by much less than the noise, and by some roundings."""
        change = math.sqrt(noise * self._line.unit)
        near = self._line.difference(min(change / abs(slope), self[0].step)) if slope else self[MOST_DOWN]
        return near.slope == near.gap == 0

    def _quantum(self):
        """By how much f jumps, if that is why it stands still at small steps; a unit's rounding if it never moves."""
        moving = [k for k in sorted(self.rungs, reverse=True) if self[k].finite and not self.still(k)]
        if not moving:
            return 2 * self._line.unit
        still = next((k for k in sorted(self.rungs) if k > moving[0] and self.still(k)), None)
        if still is None:
            return 0.0
        jump = self._line.jump(self[still].step, self[moving[0]].step)
        slope = max(max(abs(self[k].slope), abs(self[k].gap)) for k in moving[:2])
        return jump if 8 * jump >= slope * self[still].step else 0.0

    def climb_down(self, enough):
        for k in range(1, MOST_DOWN + 1):
            self.judge(k)
            smallest = self.best()[1]
            if smallest <= enough or 2 * SHRINK * self.rounding(k) > smallest:
                return

    def climb_up(self, enough, most):
        for k in range(0, -most, -1):
            self.judge(k)
            smallest = self.best()[1]
            if smallest <= enough or k in self.errors and self.allowed(k) > SHRINK * smallest:
                return

    def noisy(self):
        moving = [k for k in self.errors if not self.still(k)]
        return bool(moving) and self.errors[max(moving)] > NOISY * self[max(moving)].rounding

    def in_order(self):
        """Those where f is finite, from the largest step to the smallest, without gaps."""
        return [rung for k, rung in sorted(self.rungs.items()) if rung.finite]

    def kink(self):
        """The k of the smallest step which shows that f has a kink there, or None.

        One-sided slopes come together by 4 from step to step where f is smooth and by less than 2, regularly, at a
        kink. They then differ by more than the noise at the three smallest steps.
        """
        noise = max(max(self.errors[k], 2 * self.rounding(k)) * self[k].step for k in sorted(self.errors)[-3:])
        for k in sorted(self.errors, reverse=True):
            coarse, middle, fine = (self.rungs.get(j) for j in (k - 2, k - 1, k))
            if coarse and coarse.finite and coarse.gap and middle.gap and abs(fine.gap) * fine.step > 4 * noise:
                first, second = middle.gap / coarse.gap, fine.gap / middle.gap
                if first >= 0.5 and 0.8 <= second / first <= 1.25:
                    return k
        return None

    def jump(self):
        """Whether f jumps, or is as good as one: differences at the four smallest steps grow as these shrink."""
        finest = self.in_order()[-4:]
        grow = lambda values: (abs(values[-1]) > 8 * finest[-1].rounding and all(
            before and abs(after / before / SHRINK - 1) < 0.02 for before, after in zip(values, values[1:])))
        return len(finest) == 4 and (grow([rung.slope for rung in finest]) or grow([rung.gap for rung in finest]))


def _closer_look(line, first, demand):
    """The verdict from the step that sees best. The gradient is blamed only if it is wrong from other first steps, too."""
    verdict = _from_one_step(line, first, demand)
    for times in OTHERS:
        if verdict.outcome == "wrong" and not verdict.plain:
            other = _from_one_step(line, line.difference(times * first.step), demand)
            if other.outcome != "wrong":
                other.outcome = "too_small" if other.outcome == "agrees" else other.outcome
                return other
    return verdict


def _from_one_step(line, first, demand):
    """The verdict, after the noise of f was measured."""
    ladder = _Ladder(line, first)
    noisy = abs(first.slope - demand.g) <= 32 * first.rounding
    up, down = lambda: ladder.climb_up(demand.tight, demand.most_up), lambda: ladder.climb_down(demand.tight)
    for climb in (up, down) if noisy else (down, up):
        if ladder.best()[1] > demand.tight:
            climb()
    k, verdict = _judged(ladder, demand)
    while verdict.outcome in ("agrees", "wrong"):
        doubted = (verdict.outcome == "wrong" or ladder.still(k) or ladder.allowed(k) > demand.tight
                   or abs(demand.g) <= SEEN * demand.largest)
        if not (doubted and ladder.measure(k)):
            finer = ladder.contradicted(k)
            if finer is None:
                break
            if not ladder.measure(finer):
                ladder.leave_out_above(finer)
        k, verdict = _judged(ladder, demand)
    if ladder.stairs and (verdict.outcome == "agrees" or abs(demand.g) <= verdict.allowed):
        verdict = _Verdict("too_small", verdict.numeric, math.inf, math.inf)
    verdict.noisy = ladder.noisy()
    verdict.plain = all(abs(ladder[j].slope - demand.g) > BLAME * ladder.allowed(j) for j in ladder.errors)
    return verdict


def _judged(ladder, demand):
    """The step that sees best, and the verdict."""
    if not ladder.errors:
        return 0, _Verdict("not_finite", ladder[0].slope, math.inf, math.inf)
    while True:
        k, unseen = ladder.best()
        numeric, allowed = ladder[k].slope, max(unseen, demand.tight)
        error = abs(numeric - demand.g)
        more = range(-demand.most_up + 1, 1) if ladder.still(k) else (k - 1, k + 1, k + 2)
        missing = [j for j in more if max(-demand.most_up + 1, ladder.coarsest) <= j <= MOST_DOWN and j not in ladder.judged]
        if not missing or error <= allowed and unseen <= demand.tight and not ladder.still(k):
            break
        for j in missing:
            ladder.judge(j)
    seen = unseen <= demand.own(numeric) or unseen <= demand.rtol * demand.largest
    if error <= allowed and seen:
        return k, _Verdict("agrees", numeric, allowed, error + unseen)
    if ladder.jump():
        return k, _Verdict("kinks", numeric, math.inf, math.inf)
    if error > max(allowed, BLAME * unseen):
        return k, _Verdict("wrong", numeric, allowed, math.inf)
    kink = ladder.kink()
    if kink is None:
        return k, _Verdict("too_small", numeric, allowed, math.inf)
    between, numeric = 0.55 * abs(ladder[kink].gap), ladder[kink].slope
    outside = abs(numeric - demand.g) > between and ladder.contradicted(kink) is None
    return kink, _Verdict("wrong" if outside else "kinks", numeric, between, math.inf)


def _arrays(parameters, gradients):
    """Both as dicts of arrays, and whether they were bare arrays."""
    bare = not isinstance(parameters, Mapping)
    if bare == isinstance(gradients, Mapping):
        kinds = ("an array", "a dict") if bare else ("a dict", "an array")
        raise ValueError(f"gradients: got {kinds[1]}, want {kinds[0]} as parameters is")
    if bare:
        values = {"parameters": as_array("parameters", parameters)}
        analytic = {"parameters": as_array("gradients", gradients)}
    else:
        if not parameters:
            raise ValueError("parameters: got an empty dict, want at least one array")
        if set(parameters) != set(gradients):
            raise ValueError(f"gradients: got names {list(gradients)}, want {list(parameters)}")
        values = {name: as_array(f"parameters[{name!r}]", parameters[name]) for name in parameters}
        analytic = {name: as_array(f"gradients[{name!r}]", gradients[name]) for name in parameters}
    for name, x in values.items():
        if analytic[name].shape != x.shape:
            argument = "gradients" if bare else f"gradients[{name!r}]"
            raise ValueError(f"{argument}: got shape {analytic[name].shape}, want {x.shape}")
    return values, analytic, bare


def _outcome(found, gradients, rtol):
    """`found`: (name, index) -> verdict, in the order of the entries."""
    largest = {name: float(np.abs(gradient).max()) or 1.0 for name, gradient in gradients.items()}
    places = {outcome: tuple(place for place, verdict in found.items() if verdict.outcome == outcome)
              for outcome in ("agrees", "wrong", "kinks", "too_small", "not_finite")}
    agree = places.pop("agrees")
    analytic = {(name, i): float(gradients[name][i]) for name, i in found}
    error = {place: abs(analytic[place] - verdict.numeric) for place, verdict in found.items()}
    if places["wrong"]:
        size = {place: max(abs(analytic[place]), abs(found[place].numeric)) for place in places["wrong"]}
        worst = max(places["wrong"], key=lambda place: (error[place] / size[place], error[place]))
        scale, tolerance = size[worst], found[worst].allowed / size[worst]
    else:
        size = {(name, i): largest[name] for name, i in found}
        worst = max(agree or found, key=lambda place: error[place] / size[place])
        scale, tolerance = size[worst], max([rtol, *(found[place].unseen / size[place] for place in agree)])
    name, index = worst
    return GradientCheck(len(agree) == len(found), error[worst] / scale, str(name), index, analytic[worst],
                         found[worst].numeric, tolerance, len(found), **places)


def gradient_check(
    f: Callable[..., float],
    parameters: Mapping[str, np.ndarray] | np.ndarray,
    gradients: Mapping[str, np.ndarray] | np.ndarray,
    *,
    rtol: float = 1e-7,
) -> GradientCheck:
    """Compare `gradients` with central differences of f at `parameters` (chapter 1).

    f           takes what `parameters` is, a dict of arrays or one array (a copy, which f must not change);
                returns the loss, a finite number, and the same number at the same point
    parameters  dict name -> array of any shape, or one array; never modified
    gradients   dict with the same names and shapes, or one array: what is to be checked

    An entry agrees if its error is at most rtol of its own size, or what the rounding of f and the truncation of
    the difference can explain at this entry. It is checked only if that is little: at most 1/2000 of the entry
    (rtol, if that is more), or rtol of the largest entry of its array. An entry whose gradient is 0 counts as
    checked, too, where f is the same on both sides of it, at two steps. Entries that agree at the first step cost two
    calls of f. The others are looked at with smaller and larger steps, until one sees enough; that leaves out a kink
    of f which isn't too close, follows a strongly curved f and gets a small slope out of the rounding of f.
    What can't be checked is counted (see GradientCheck), and the check as a whole is then not passed: what nobody
    looked at is not right yet. An entry at a kink that is outside the slopes on its two sides is wrong.
    For float32, use rtol=1e-2. Calls f three times, and twice for every entry that agrees at once.

    ValueError: names or shapes of `gradients` that differ from those of `parameters`, NaN or inf in
    either or in f(parameters), an f that returns another number at the same point or changes its argument,
    rtol that isn't positive.
    """
    _positive("rtol", rtol)
    values, analytic, bare = _arrays(parameters, gradients)
    values = {name: x.copy() for name, x in values.items()}  # f may write into the caller's arrays, say those of a net

    def loss(values):
        return _call(f, values["parameters"] if bare else values)

    at_x = loss(values)
    f_x = _finite(at_x)
    _same(at_x, loss(values))
    found = {}
    for name, x in values.items():
        eps = max(_eps(at_x), float(np.finfo(x.dtype).eps))
        point = x.copy()
        steps, largest = _default_steps(x, eps), float(np.abs(analytic[name]).max())
        most_up = max(1, int(math.log(LARGEST / np.cbrt(eps), SHRINK)))

        def line_along(i):
            def along(value):
                point[i] = value
                f_there = loss({**values, name: point})
                point[i] = x[i]
                return float(f_there)

            return _Line(along, x[i], f_x, eps)

        def look_at(i, *looks):
            line, demand = line_along(i), _Demand(float(analytic[name][i]), largest, rtol, most_up)
            first = line.difference(float(steps[i]))
            return next(filter(None, (look(line, first, demand) for look in looks)))

        verdicts = {i: look_at(i, _first_look, _flat, _closer_look) for i in np.ndindex(x.shape)}
        if 10 * sum(verdict.noisy for verdict in verdicts.values()) > x.size:  # who agreed at once may have had luck
            verdicts = {i: verdict if verdict.noisy else look_at(i, _flat, _closer_look) for i, verdict in verdicts.items()}
        found |= {(name, i): verdict for i, verdict in verdicts.items()}
    outcome = _outcome(found, analytic, rtol)
    for _ in range(1 if outcome.ok else REPEATS):
        _same(at_x, loss(values))
    return outcome
