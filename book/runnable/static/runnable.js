// Runs the code cells of a page in a worker, and keeps what the reader wrote. worker.js and kernel.py are behind it.
(() => {
  "use strict";

  const LONG = 5; // seconds
  const SLOWER = 5; // times, in a browser
  const PASSING = ":scope > .runnable-panel, :scope > .runnable-note:not(.runnable-conflict)";
  const data = JSON.parse(document.getElementById("runnable")?.textContent ?? "null");
  if (!data) return;

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const button = (text, onclick, about = "") =>
    make("button", { type: "button", onclick }, text, ...(about ? [make("span", { className: "explorable-hidden" }, ` ${about}`)] : []));
  const absolute = (url) => new URL(url, document.baseURI).href;
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  const duration = (s) => s >= 90 ? `${Math.round(s / 60)} min` : s >= 9.95 ? `${Math.round(s)} s` : `${s.toFixed(1)} s`;
  const several = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

  // Edits: {place: {source, original}} under one key for a page.
  const KEY = `runnable:${location.pathname}`;
  function edits() {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return {};
    }
  }
  function keep(place, edit) {
    const all = edits(); // another tab may have written
    if (edit) all[place] = edit;
    else delete all[place];
    try {
      if (Object.keys(all).length) localStorage.setItem(KEY, JSON.stringify(all));
      else localStorage.removeItem(KEY);
      warning.hidden = true;
    } catch {
      warning.hidden = false;
    }
  }

  const cells = data.cells.map((cell, place) => ({
    ...cell, place, element: document.querySelector(`[data-runnable="${place}"]`), original: cell.source, state: "stored", ran: null, order: 0, moved: [],
  }));
  const shown = cells.filter((cell) => cell.element);
  const name = (cell) => cell.text ? `the answer ${cell.place + 1}` : `cell ${cell.place + 1}`;
  const edited = (cell) => cell.source !== cell.original;

  // The bar of the page ---------------------------------------------------------------

  const announcer = make("p", { className: "explorable-hidden", role: "status" });
  const about = make("span", { className: "runnable-about" });
  const warning = make("p", { hidden: true, className: "runnable-note" },
    "This browser does not keep your edits: its storage is full or forbidden.");
  const notes = make("div");
  const then = (action) => () => {
    bar.focus(); // a button that is not of use any more goes away
    action();
  };
  const buttons = {
    stop: button("Stop Python", then(() => stop("You have stopped Python."))),
    restart: button("Restart Python", restart),
    reset: button("Reset page", then(() => confirmed("Reset page", () => {
      stop("");
      shown.forEach(reset);
      note(null, "The page is as it came.");
    }))),
    forget: button("Delete my edits on this page", then(() => confirmed("Delete my edits", () => shown.filter(edited).forEach(unedit)))),
  };
  const bar = make("div", { className: "runnable-page", role: "group", ariaLabel: "Python on this page", tabIndex: -1 },
    about, ...Object.values(buttons));
  const announce = (text) => (announcer.textContent = text);

  function confirmed(what, action) {
    const changed = shown.filter(edited);
    if (!changed.length) return action();
    const group = changed.length === 1 ? "one cell" : `${changed.length} cells`;
    panel(notes, `This deletes what you have written in ${group}.`, [[what, action], ["Keep my edits", () => {}]], bar);
  }

  // A question at the end of `parent`; all answers lead back to the element `from`.
  function panel(parent, text, answers, from) {
    parent.querySelector(":scope > .runnable-panel")?.remove();
    const close = () => {
      asked.remove();
      from?.focus();
    };
    const asked = make("div", { className: "runnable-panel", role: "group", ariaLabel: "Question" }, make("p", {}, text),
      ...answers.map(([label, action]) => button(label, () => {
        close();
        action();
      })));
    asked.addEventListener("keydown", (event) => event.key === "Escape" && close());
    parent.append(asked);
    asked.querySelector("button").focus();
    announce(text);
  }

  // One cell ----------------------------------------------------------------------------

  function words(cell) {
    const took = cell.seconds > 2 ? `, took ${duration(cell.seconds)} when the book was built` : "";
    if (cell.text) return edited(cell) ? "your answer" : "no answer yet";
    switch (cell.state) {
      case "waiting": return python ? "waiting" : loading;
      case "running": return `running for ${Math.round((performance.now() - cell.began) / 1000)} s${took}`;
      case "yours": {
        if (cell.interrupted) return "stopped before its end";
        const when = cell.ran === null ? ", before Python stopped" : cell.took >= 0.1 ? `, ${duration(cell.took)}` : "";
        if (cell.ran !== null && stale(cell)) return "ran before a cell above did";
        return cell.lastRun === cell.source ? `${cell.outputs.firstChild ? "your output" : "has run"}${cell.failed ? ", an error" : ""}${when}` : "changed since it ran";
      }
      default: return edited(cell) ? "changed, not run yet" : `${cell.stored.length ? "stored output" : "not run"}${took}`;
    }
  }

  function refresh(cell) {
    if (!cell.bar) return;
    const busy = cell.state === "waiting" || cell.state === "running";
    cell.words.textContent = words(cell);
    cell.bar.dataset.state = cell.state === "yours" && cell.lastRun !== cell.source ? "changed" : cell.state;
    if (cell.run) {
      cell.run.firstChild.data = busy ? "Stop" : "Run";
      cell.area?.setAttribute("aria-busy", busy);
    }
    if (cell.edit) cell.edit.hidden = Boolean(cell.area);
    cell.reset.hidden = busy || !(cell.area || cell.state === "yours");
    refreshPage();
  }

  function refreshPage() {
    const some = shown.some(edited);
    buttons.stop.hidden = buttons.restart.hidden = !worker;
    buttons.reset.hidden = !some && !shown.some((cell) => cell.state === "yours");
    buttons.forget.hidden = !some;
    about.textContent = !worker ? IDLE : python ? "Python runs in your browser." : `${loading[0].toUpperCase()}${loading.slice(1)}.`;
  }

  const IDLE = data.notebook
    ? "Write and run your answers here, or in JupyterLab. Nothing that you write leaves your machine."
    : "The code on this page can be run and changed here. Nothing that you write leaves your machine.";

  function furnish(cell) {
    const input = cell.element.querySelector(".cell_input");
    cell.code = cell.text ? cell.element.firstElementChild : input?.firstElementChild;
    cell.stored = [...cell.element.querySelectorAll(".cell_output")];
    cell.words = make("span", { className: "runnable-state" });
    cell.reset = button("Reset", () => {
      reset(cell);
      (cell.run ?? cell.edit).focus();
    }, name(cell));
    if (!cell.text) cell.run = button("Run", () => pressed(cell), name(cell));
    if (!data.notebook || cell.answer) cell.edit = button("Edit", () => {
      const area = open(cell);
      area.focus();
      if (cell.text && !edited(cell)) area.select();
    }, name(cell));
    cell.bar = make("div", { className: "runnable-bar" }, ...[cell.run, cell.edit, cell.reset].filter(Boolean), cell.words);
    if (cell.warns) cell.bar.append(make("p", {}, "NumPy in a browser gives no floating-point warnings: this cell, which shows or catches one, behaves otherwise."));
    let before = input ?? null;
    while (before && before.parentElement !== cell.element) before = before.parentElement;
    if (cell.text) cell.element.append(cell.bar);
    else if (before) before.after(cell.bar);
    else cell.element.prepend(cell.bar);
    refresh(cell);
  }

  // The code as a text to edit.
  function open(cell) {
    const hidden = cell.bar.parentElement.querySelector(":scope > details");
    if (hidden && cell.code && hidden.contains(cell.code)) hidden.open = true;
    if (cell.area) return cell.area;
    const hint = `runnable-hint-${cell.place}`;
    cell.area = make("textarea", { className: cell.text ? "runnable-words" : "runnable-code", value: cell.source, spellcheck: cell.text, rows: 1,
      autocomplete: "off", ariaLabel: cell.text ? `Your answer, ${name(cell)}` : `Code of ${name(cell)}` });
    cell.area.setAttribute("autocapitalize", "off");
    cell.area.setAttribute("aria-describedby", hint);
    cell.editor = make("div", { className: "runnable-editor" }, cell.area, make("p", { id: hint, className: "runnable-hint" },
      cell.text ? "Escape leaves the text." : "Shift+Enter runs the cell, Escape leaves it; Ctrl+] and Ctrl+[ indent."));
    if (cell.code) {
      cell.code.after(cell.editor);
      cell.code.hidden = true;
    } else cell.bar.before(cell.editor);
    cell.area.addEventListener("input", () => {
      fit(cell.area);
      change(cell, cell.area.value);
    });
    cell.area.addEventListener("keydown", (event) => key(event, cell));
    fit(cell.area);
    refresh(cell);
    return cell.area;
  }

  function fit(area) {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  }

  function change(cell, source) {
    cell.source = source;
    keep(cell.place, edited(cell) && { source, original: cell.original });
    refresh(cell);
  }

  function write(cell, source) {
    const area = open(cell);
    area.value = source;
    fit(area);
    change(cell, source);
  }

  function key(event, cell) {
    const { area } = cell;
    if (event.isComposing) return;
    if (event.key === "Escape") {
      if (!edited(cell)) unedit(cell); // the code in its colours again
      (cell.run ?? (cell.area ? cell.reset : cell.edit)).focus();
    } else if (cell.text) return;
    else if (event.key === "Enter" && event.shiftKey) {
      if (cell.state !== "waiting" && cell.state !== "running") pressed(cell);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.altKey && !event.metaKey) {
      const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
      const indent = /^[ \t]*/.exec(line)[0] + (/:\s*(#.*)?$/.test(line) ? "    " : "");
      document.execCommand("insertText", false, `\n${indent}`); // as typed, so that it can be undone
    } else if (event.ctrlKey && (event.key === "]" || event.key === "[")) indent(area, event.key === "]");
    else return;
    event.preventDefault();
  }

  function indent(area, further) {
    const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const after = area.value.indexOf("\n", Math.max(area.selectionEnd - (area.selectionEnd > area.selectionStart), start));
    const end = after < 0 ? area.value.length : after;
    const lines = area.value.slice(start, end);
    const moved = further ? lines.replace(/^(?=.)/gm, "    ") : lines.replace(/^ {1,4}/gm, "");
    if (moved === lines) return;
    const caret = area.selectionStart === area.selectionEnd && area.selectionEnd + moved.length - lines.length;
    area.setSelectionRange(start, end);
    document.execCommand("insertText", false, moved);
    if (caret === false) area.setSelectionRange(start, start + moved.length);
    else area.setSelectionRange(Math.max(caret, start), Math.max(caret, start));
  }

  function unedit(cell) {
    cell.editor?.remove();
    if (cell.code) cell.code.hidden = false;
    cell.area = cell.editor = null;
    change(cell, cell.original);
  }

  // A cell as it came.
  function reset(cell) {
    unedit(cell);
    clear(cell);
    cell.spot?.replaceWith(...cell.stored);
    cell.spot = null;
    cell.state = "stored";
    cell.ran = null;
    cell.bar.querySelectorAll(PASSING).forEach((old) => old.remove());
    refresh(cell);
  }

  // Outputs -----------------------------------------------------------------------------

  function clear(cell) {
    cell.outputs?.querySelectorAll("figure.explorable").forEach((figure) => tell({ type: "forget", figure: figure.id }));
    cell.outputs?.remove();
    cell.outputs = cell.stream = null;
    for (const [note, figure] of cell.moved.splice(0)) note.replaceWith(figure);
  }

  // An empty place for the outputs of a run.
  function prepare(cell) {
    clear(cell);
    cell.outputs = make("div", { className: "cell_output runnable-yours", role: "group", ariaLabel: `Output of your run of ${name(cell)}` });
    if (!cell.element) return;
    if (!cell.spot) {
      cell.spot = document.createComment("");
      if (cell.stored.length) cell.stored[0].before(cell.spot);
      else cell.element.append(cell.spot);
      cell.stored.forEach((output) => output.remove());
    }
    cell.spot.after(cell.outputs);
  }

  const SHOW = {
    stream: (cell, { name: stream, text }) => {
      if (cell.stream?.name !== stream) {
        const pre = make("pre", { className: `runnable-${stream}` });
        cell.stream = { name: stream, pre, rest: "", last: pre.appendChild(new Text()) };
        cell.outputs.append(pre);
      }
      const s = cell.stream;
      const lines = (s.rest + text).replace(/\x1b\[[\d;]*m/g, "").split("\n");
      s.rest = lines.pop();
      const over = (line) => line.slice(line.lastIndexOf("\r", line.length - 2) + 1); // a progress bar writes over itself
      if (lines.length) s.last.before(`${lines.map((line) => over(line.replace(/\r$/, ""))).join("\n")}\n`);
      s.last.data = over(s.rest);
    },
    text: (cell, { text }) => cell.outputs.append(make("pre", {}, text)),
    html: (cell, { html }) => cell.outputs.append(make("div", { className: "output text_html", innerHTML: html })),
    image: (cell, { png, width, height, alt }) =>
      cell.outputs.append(make("img", { src: `data:image/png;base64,${png}`, width, height, alt })),
    error: (cell, { name: error, message, lines }) => {
      const traced = lines.map(([line, text]) => `${line === null ? "" : `line ${line}: `}${text}\n`);
      cell.outputs.append(make("pre", { className: "runnable-error" }, make("strong", {}, error), `${message ? `: ${message}` : ""}\n`, ...traced));
    },
    figure: (cell, { figure: id, html }) => {
      const other = document.getElementById(id);
      if (other && !other.matches("figure.explorable"))
        return SHOW.error(cell, { name: "ValueError", message: `the page has something else with the id ${id}; give the figure another one`, lines: [] });
      if (other) { // one figure of a name
        const note = make("p", { className: "runnable-note" }, `The figure ${id} is now below ${name(cell)}.`);
        other.replaceWith(note);
        if (!other.querySelector(".explorable-live")) cell.moved.push([note, other]);
      }
      const holder = make("div", { className: "output text_html", innerHTML: html });
      cell.outputs.append(holder);
      const shownFigure = holder.querySelector("figure");
      import(absolute(data.modules.live)).then(({ default: live }) => live(shownFigure, (values, still) => ask(id, values, still)));
      window.MathJax?.typesetPromise?.([shownFigure]).catch(() => {});
    },
  };

  function show(cell, output) {
    if (output.kind !== "stream") cell.stream = null;
    SHOW[output.kind](cell, output);
    if (output.kind === "error") cell.error = `${output.name}: ${output.message}`;
  }

  // Python ------------------------------------------------------------------------------

  let worker = null;
  let python = false; // whether it is ready
  let loading = "";
  let source = null; // where Python comes from, once the reader has agreed: {base, total}
  let queue = []; // of {cell, chain}: what is to run
  let current = null;
  let runs = 0;
  let tickets = 0;
  const asked = new Map(); // ticket -> what to do with the answer

  const tell = (message) => python && worker.postMessage(message);

  const ask = (figure, values, settled) => new Promise((resolve, reject) => {
    if (!python) return reject(new Error(GONE));
    asked.set(++tickets, { resolve, reject });
    tell({ type: "set", figure, ticket: tickets, values, settled });
  });
  const GONE = "Python has stopped; run the cell again to move this figure.";

  async function offered() {
    const local = absolute(data.pyodide.local);
    try {
      const { files, packages } = await (await fetch(`${local}manifest.json`)).json();
      const ours = data.pyodide.packages.flatMap((name) => packages[name]);
      const others = Object.values(packages).flat().filter((name) => !ours.includes(name));
      let total = 0;
      for (const name in files) if (!others.includes(name)) total += files[name];
      return { base: local, total, size: `${megabytes(total)} MB`, host: "this site" };
    } catch { /* it is not there */ }
    const { cdn, megabytes: size } = data.pyodide;
    return { base: absolute(cdn), total: null, size: `about ${size} MB`, host: `${new URL(cdn, document.baseURI).host}, which learns your address` };
  }

  function start() {
    loading = "loading Python";
    python = false;
    const { pyodide } = data;
    // A worker from a blob is under the page's policy.
    const script = URL.createObjectURL(new Blob([`import "${absolute(data.worker)}"`], { type: "text/javascript" }));
    const mine = worker = new Worker(script, { type: "module" });
    const failed = (message) => mine === worker && (python
      ? stop(`Python has broken down: ${message}`)
      : stop(`Python could not be loaded: ${message}. Nothing of yours is lost; press Run to try again.`));
    mine.onmessage = ({ data: message }) => mine === worker && heard(message, failed);
    mine.onerror = (event) => {
      event.preventDefault();
      failed(event.message || "its script did not come");
    };
    mine.postMessage({ type: "start", ...pyodide, base: source.base, total: source.total, archives: pyodide.archives.map(absolute) });
    refreshPage();
  }

  function heard(message, failed) {
    switch (message.type) {
      case "progress":
        loading = `loading Python: ${megabytes(message.loaded)}${message.total ? ` of ${megabytes(Math.max(message.total, message.loaded))}` : ""} MB`;
        queue.forEach(({ cell }) => refresh(cell));
        return refreshPage();
      case "ready":
        python = true;
        announce("Python is ready.");
        queue.forEach(({ cell }) => refresh(cell));
        refreshPage();
        return next();
      case "failed": return failed(message.message);
      case "output":
        if (message.id === runs && current) show(current.cell, message.output);
        return;
      case "done":
        if (message.id === runs && current) done(message);
        return;
      case "state": {
        const answer = asked.get(message.ticket);
        asked.delete(message.ticket);
        if (message.error) answer?.reject(new Error(message.error));
        else answer?.resolve(message);
      }
    }
  }

  function stop(why) {
    if (worker) {
      worker.terminate();
      worker = null;
      python = false;
      for (const { reject } of asked.values()) reject(new Error(GONE));
      asked.clear();
      for (const figure of document.querySelectorAll(".runnable-yours figure.explorable:has(.explorable-live)")) {
        figure.querySelector("fieldset").disabled = true;
        const status = figure.querySelector("[role=status]");
        status.textContent = GONE;
        status.classList.remove("explorable-hidden");
      }
    }
    const interrupted = current?.cell ?? queue.at(-1)?.cell;
    const had = cells.some((cell) => cell.ran !== null) || current;
    const left = queue.map(({ cell }) => cell);
    if (current) {
      current.cell.interrupted = true;
      left.push(current.cell);
    }
    queue = [];
    current = null;
    for (const cell of cells) cell.ran = null;
    for (const cell of left) cell.state = cell.outputs ? "yours" : "stored";
    shown.forEach(refresh);
    refreshPage();
    if (!why) return;
    const text = `${why}${had ? " All names are gone: the cells above run again when you press Run. What you wrote is kept." : ""}`;
    note(interrupted, text);
  }

  function restart() {
    stop("You have restarted Python.");
    start();
  }

  // A sentence below a cell until it runs again, or in the bar of the page.
  function note(cell, text) {
    const parent = cell?.bar?.parentElement ? cell.bar : notes;
    parent.querySelectorAll(PASSING).forEach((old) => old.remove());
    parent.append(make("p", { className: "runnable-note" }, text));
    announce(text);
  }

  const stale = (cell) => cells.some((other) => other.place < cell.place && other.order > cell.order);
  const fresh = (cell) => cell.ran === cell.source && !stale(cell);
  const goesOn = (cell) => cell.element?.classList.contains("tag_raises-exception"); // a check that fails stops nothing
  const names = (cell) => new Set(cell.source.match(/[\p{L}_][\p{L}\p{N}_]*/gu)); // more than it needs
  const imports = (cell) => /^(import|from)\s/m.test(cell.source);

  // Of the cells above, those that the cell needs; what the reader changed counts by all its words.
  function needed(cell, above) {
    const wanted = new Set(edited(cell) ? names(cell) : cell.needs);
    return above.toReversed().filter((other) => {
      const binds = edited(other) ? [...names(other)] : other.binds;
      if (!imports(other) && !binds.some((bound) => wanted.has(bound))) return false;
      (edited(other) ? names(other) : other.needs).forEach((needs) => wanted.add(needs));
      return true;
    }).toReversed();
  }

  async function pressed(cell) {
    if (cell.state === "waiting" || cell.state === "running") return stop("You have stopped Python.");
    cell.bar.querySelectorAll(PASSING).forEach((old) => old.remove());
    if (source) return choose(cell);
    const offer = await offered();
    if (source) return choose(cell);
    const then = takes(unrun(cell)) > LONG ? "" : " and run"; // or another question follows
    panel(cell.bar, `To run code, the page loads Python into your browser: ${offer.size} from ${offer.host}. What you write stays on your machine.`,
      [[`Load Python${then}`, () => {
        source = offer;
        choose(cell);
      }], ["Not now", () => {}]], cell.area && document.activeElement === cell.area ? cell.area : cell.run);
  }

  const takes = (some) => some.reduce((sum, other) => sum + (other.seconds ?? 0), 0);

  // The cells above one that have not run, or not since one above them did.
  function unrun(cell) {
    const queued = new Set([...queue, ...(current ? [current] : [])].map((item) => item.cell));
    let old = false; // from the first that is, all of them
    return cells.slice(0, cell.place).filter((other) => !other.text && (old ||= !fresh(other)) && !queued.has(other));
  }

  function choose(cell) {
    const above = unrun(cell);
    if (takes(above) <= LONG) return enqueue([...above, cell]);
    const few = needed(cell, above);
    const time = (some) => `${several(some.length, "cell")}, about ${duration(SLOWER * takes(some))}`;
    panel(cell.bar, `Not run yet above: ${several(above.length, "cell")}. ` +
      `They took ${duration(takes(above))} when the book was built; a browser is about ${SLOWER} times slower.`, [
      ...(few.length < above.length ? [[`Run what it needs (${time(few)})`, () => enqueue([...few, cell])]] : []),
      [`Run all above (${time(above)})`, () => enqueue([...above, cell])],
      ["Run this cell alone", () => enqueue([cell])],
      ["Not now", () => {}],
    ], cell.run);
  }

  function enqueue(chain) {
    for (const cell of chain) {
      cell.state = "waiting";
      queue.push({ cell, chain });
    }
    if (!worker) start();
    chain.forEach(refresh);
    announce(`${name(chain.at(-1))}: waiting`);
    next();
  }

  function next() {
    if (!python || current || !queue.length) return;
    current = queue.shift();
    const { cell } = current;
    cell.state = "running";
    cell.began = performance.now();
    cell.error = null;
    cell.interrupted = false;
    cell.lastRun = cell.source;
    cell.bar?.querySelectorAll(PASSING).forEach((old) => old.remove());
    prepare(cell);
    refresh(cell);
    cell.order = ++runs;
    tell({ type: "run", id: runs, cell: cell.place, source: cell.source });
  }

  function done({ ok, seconds }) {
    const { cell, chain } = current;
    const target = chain.at(-1);
    current = null;
    cell.state = "yours";
    cell.took = seconds;
    cell.failed = !ok;
    cell.ran = ok || goesOn(cell) ? cell.lastRun : "";
    shown.forEach(refresh);
    for (const pre of cell.outputs.querySelectorAll("pre")) if (pre.scrollHeight > pre.clientHeight) pre.tabIndex = 0;
    if (!ok && !goesOn(cell) && cell !== target) {
      const left = queue.filter((item) => item.chain === chain).map((item) => item.cell);
      queue = queue.filter((item) => item.chain !== chain);
      for (const other of left) {
        other.state = other.outputs ? "yours" : "stored";
        refresh(other);
      }
      target.bar.querySelector(":scope > .runnable-panel")?.remove();
      note(target, `This cell has not run: ${name(cell)} above stopped with ${cell.error}`);
      target.bar.lastChild.append(" ", button("Run this cell alone", () => {
        target.run.focus();
        enqueue([target]);
      }));
    } else if (cell === target) announce(`${name(cell)}: ${ok ? "done" : cell.error}`);
    next();
  }

  // A problem set as a notebook ---------------------------------------------------------

  function notebookButtons() {
    const attempt = async (action) => {
      try {
        const { default: module } = await import(absolute(data.modules.notebook));
        note(null, await action(module));
      } catch (error) {
        note(null, `That did not work: ${error.message}.`);
      }
    };
    const address = absolute(data.notebook);
    const input = make("input", { type: "file", accept: ".ipynb", hidden: true, onchange() {
      const [file] = input.files;
      if (file) attempt((module) => module.open(file, address, cells, write));
      input.value = "";
    } });
    const choose = () => input.click();
    return [button("Download my notebook", () => attempt((module) => module.download(address, cells))),
      button("Open my notebook", () => shown.some(edited)
        ? panel(notes, "This replaces what you have written on this page.", [["Open a notebook", choose], ["Keep my edits", () => {}]], bar)
        : choose()), input];
  }

  // The page ----------------------------------------------------------------------------

  // Why a browser cannot run the cells.
  function hindrance() {
    let modules = false;
    try {
      new Worker("http://[", { get type() { modules = true; } }); // not an address: nothing is asked for
    } catch { /* as it should */ }
    if (location.protocol === "file:") return "it was opened as a file. Run works where the page comes from a web server";
    if (!modules) return "this browser is too old: it has no module workers";
    if (typeof WebAssembly !== "object") return "this browser has no WebAssembly";
    return "";
  }

  // What edits.js does.
  async function withEdits(then) {
    const { default: module } = await import(absolute(data.modules.edits));
    then(module, { make, button, name, notes, bar, shown, keep, write, unedit, note });
  }

  // Edits of an earlier visit; of a cell that has changed since, both are kept.
  function restore() {
    for (const [place, edit] of Object.entries(edits())) {
      const cell = cells[place];
      if (typeof edit?.source !== "string") continue;
      if (cell?.edit && cell.original === edit.original) write(cell, edit.source);
      else withEdits(({ conflict }, page) => conflict(page, place, cell?.bar && cell, edit.source, Boolean(cell?.edit)));
    }
  }

  const first = shown.find((cell) => !cell.text);
  if (!first) return;
  const why = hindrance();
  if (why) {
    first.element.prepend(make("p", { className: "runnable-note" }, `The code on this page cannot be run here: ${why}.`));
    return;
  }
  if (data.notebook) bar.append(...notebookButtons());
  first.element.before(make("div", { className: "runnable-top" }, bar, warning, notes, announcer));
  shown.forEach(furnish);
  restore();
  refreshPage();
  addEventListener("storage", (event) => event.key === KEY && withEdits(({ others }, page) => others(page, event)));
  setInterval(() => current && refresh(current.cell), 1000);
  addEventListener("resize", () => shown.forEach((cell) => cell.area && fit(cell.area)));
})();
