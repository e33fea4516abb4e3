// Questions: what is said on an answer is shown as soon as it is chosen; what was chosen stays in this browser.
(() => {
  "use strict";

  const root = new URL(document.documentElement.dataset.content_root ?? "./", location.href).pathname;

  function stored(key) {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? {};
    } catch {
      return {}; // storage that is forbidden, or is not ours
    }
  }
  function store(key, value) {
    try {
      if (value) localStorage.setItem(key, JSON.stringify(value));
      else localStorage.removeItem(key);
    } catch {
      // then the answer lasts as long as the page
    }
  }

  // Which of the items is for a guess: 0 for too small, 1 for close, 2 for too large.
  function judged(guess, right, within) {
    const ratio = guess / right;
    const close = ratio * within >= 1 - 1e-9 && ratio <= within * (1 + 1e-9);
    return close ? 1 : guess < right ? 0 : 2;
  }

  for (const question of document.querySelectorAll("fieldset.prediction")) {
    const key = `prediction:${root}${question.id}`;
    const inputs = [...question.querySelectorAll("input")];
    const [input] = inputs;
    const asksNumber = input.type === "number";
    const details = question.querySelector("details");
    const items = [...details.querySelector("ol").children];
    const note = question.querySelector(".prediction-note");

    function show({ first, now }) {
      const chosen = now === undefined ? -1
        : asksNumber ? judged(now, Number(question.dataset.right), Number(question.dataset.within)) : now - 1;
      items.forEach((item, i) => { item.hidden = i !== chosen; });
      note.hidden = chosen < 0;
      note.querySelector("b").textContent = first ?? "";
    }
    let state = {};
    function answer(now) {
      state = { first: state.first ?? now, now };
      store(key, state);
      show(state);
    }

    // The status is there, and empty, before anything is chosen: so a screen reader says what comes into it.
    const before = stored(key);
    const known = (value) => Number.isFinite(value) && (asksNumber || items[value - 1] !== undefined);
    if (known(before.first) && known(before.now)) state = before;
    show(state);
    question.querySelector("[role=status]").append(details.querySelector("ol"));
    details.remove();
    if (asksNumber) {
      const check = question.querySelector(".prediction-guess button");
      const give = () => input.reportValidity() && answer(input.valueAsNumber);
      check.hidden = false;
      check.addEventListener("click", give);
      input.addEventListener("keydown", (event) => event.key === "Enter" && give());
      input.value = state.now ?? "";
    } else {
      for (const radio of inputs) radio.checked = Number(radio.value) === state.now;
      question.addEventListener("change", (event) => answer(Number(event.target.value)));
    }
    note.querySelector("button").addEventListener("click", () => {
      state = {};
      store(key, null);
      if (asksNumber) input.value = "";
      for (const radio of inputs) radio.checked = false;
      show(state);
      input.focus();
    });
  }
})();
