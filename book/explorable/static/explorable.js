// Moves figures: recorded ones, in the format of recording.py, and live ones, which another script asks Python for.
(() => {
  "use strict";

  const VERTICES = { M: 1, L: 1, Q: 2, C: 3, Z: 0 };

  async function inflate(base64) {
    const bytes = Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Undo _pack: zigzag code, then running sums along columns and along rows, modulo 2**16.
  function unpack([rows, columns, alongColumns, alongRows], bytes, start) {
    const size = rows * columns;
    const values = new Int16Array(size);
    for (let i = 0; i < size; i++) {
      const coded = bytes[start + i] | (bytes[start + size + i] << 8);
      values[i] = (coded >>> 1) ^ -(coded & 1);
    }
    for (let pass = 0; pass < alongRows; pass++)
      for (let i = columns; i < size; i++) values[i] += values[i - columns];
    for (let pass = 0; pass < alongColumns; pass++)
      for (let i = 0; i < size; i++) if (i % columns) values[i] += values[i - 1];
    return values;
  }

  // No text smaller than the style allows; as svg.py writes it for the first state.
  const legible = (style) => style.replace(/font-size:([^;]+)/, "font-size:max($1,var(--explorable-least,0)*1px)");

  // The path commands of a body, as pairs of a letter and how often it comes.
  const commands = new Map();
  function runs(body) {
    if (!commands.has(body)) commands.set(body, [...body.matchAll(/([A-Z])(\d+)/g)].map((run) => [run[1], Number(run[2])]));
    return commands.get(body);
  }

  function decode(bytes) {
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const recording = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    recording.styles = recording.styles.map(legible);
    let place = 4 + length;
    for (const track of recording.tracks) {
      for (const key of ["style", "body", "shape", "counts", "x", "y"]) {
        const recipe = track[key];
        const values = unpack(recipe, bytes, place);
        track[key] = key === "x" || key === "y" ? values : new Uint16Array(values.buffer);
        place += 2 * recipe[0] * recipe[1];
        if (key === "x") track.width = recipe[1];
      }
    }
    return recording;
  }

  // The points from the k-th to the one before the end, as the `d` of a path, or as paths one for each point.
  function pathData(tag, body, x, y, k, end) {
    const parts = [];
    if (body.startsWith("stamp:")) {
      const [before, after] = tag === "g" ? ['<path d="M', '"/>'] : ["M", ""];
      for (; k < end; k++) parts.push(before, x[k] / 10, " ", y[k] / 10, body.slice(6), after);
      return parts.join("");
    }
    for (const [letter, times] of runs(body.slice(6))) {
      for (let n = 0; n < times; n++) {
        parts.push(letter);
        for (let vertex = VERTICES[letter]; vertex > 0; vertex--, k++) {
          parts.push(x[k] / 10, " ", y[k] / 10);
          if (vertex > 1) parts.push(" ");
        }
      }
    }
    return parts.join("");
  }

  // Give an element the body of a mark, with its points.
  function shape(element, tag, text, x, y, k, end) {
    if (tag === "path") return element.setAttribute("d", pathData(tag, text, x, y, k, end));
    if (tag === "g") return (element.innerHTML = pathData(tag, text, x, y, k, end));
    const left = x[k] / 10;
    const top = y[k] / 10;
    const colon = text.indexOf(":");
    const head = text.slice(0, colon);
    element.setAttribute("x", left);
    element.setAttribute("y", top);
    if (tag === "text") {
      if (head === "0") element.removeAttribute("transform");
      else element.setAttribute("transform", `rotate(${head} ${left} ${top})`);
      element.textContent = text.slice(colon + 1);
    } else {
      const [width, height] = head.split(",");
      element.setAttribute("width", width);
      element.setAttribute("height", height);
      element.setAttribute("preserveAspectRatio", "none");
      element.setAttribute("href", `data:image/png;base64,${text.slice(colon + 1)}`);
    }
  }

  function draw(recording, track, element, state) {
    const shown = element.shown || (element.shown = {});
    const style = track.style[state];
    const body = track.body[state];
    const number = track.shape[state];
    if (style !== shown.style) {
      element.setAttribute("style", style ? recording.styles[style] : "display:none");
      shown.style = style;
    }
    if (!style || (body === shown.body && number === shown.shape)) return;
    shown.body = body;
    shown.shape = number;
    const k = number * track.width;
    shape(element, track.tag, recording.bodies[body], track.x, track.y, k, k + track.counts[number]);
  }

  // Where the drawings of a figure come from. `paint` shows what the controls say, and calls `painted` with their values
  // once it is there; `settled` says that no hand is moving. `point` is the place of a handle's artist.
  function recorded(figure, recording) {
    const elements = [...figure.querySelectorAll(".explorable-slot > *")];
    let state = 0;
    return {
      controls: recording.controls,
      paint(controls, settled, painted) {
        state = controls.reduce((sum, c) => sum + c.get() * c.stride, 0);
        if (!settled) recording.tracks.forEach((track, i) => draw(recording, track, elements[i], state));
        painted(valuesOf(controls));
      },
      point(artist) {
        const track = recording.tracks[elements.findIndex((e) => e.parentNode.dataset.artist === artist)];
        const k = track.shape[state] * track.width;
        return { x: track.x[k] / 10, y: track.y[k] / 10, hidden: !track.style[state] };
      },
    };
  }

  const valuesOf = (controls) => Object.fromEntries(controls.map((c) => [c.name, c.get()]));

  // Put marks, [tag, style, body, points], in place of what a slot shows; elements of the same kind stay.
  function drawMarks(slot, marks) {
    const texts = slot.hasAttribute("style"); // as svg.py tells artists with texts from others
    marks.forEach(([tag, style, body, points], i) => {
      let element = slot.children[i];
      if (element?.tagName !== tag) {
        const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
        if (element) element.replaceWith(made);
        else slot.append(made);
        element = made;
      }
      if ((tag === "path" || tag === "g") && !texts) element.setAttribute("class", "explorable-curve");
      else if (tag === "path" && body.startsWith("stamp:")) element.setAttribute("class", "explorable-formula");
      else element.removeAttribute("class");
      element.setAttribute("style", legible(style));
      const x = points.filter((_, k) => k % 2 === 0);
      shape(element, tag, body, x, points.filter((_, k) => k % 2), 0, x.length);
    });
    while (slot.children.length > marks.length) slot.lastChild.remove();
  }

  function addClips(figure, clips = {}) {
    const paths = Object.entries(clips).map(([id, content]) => `<clipPath id="${id}">${content}</clipPath>`);
    if (paths.length) figure.querySelector("svg").insertAdjacentHTML("beforeend", `<defs>${paths.join("")}</defs>`);
  }

  // Drawings that are asked for, one at a time; while an answer is awaited only the newest setting is remembered.
  function computed(figure, { controls }, ask) {
    const slots = [...figure.querySelectorAll(".explorable-slot")];
    const status = figure.querySelector("[role=status]");
    let started = false;
    let open = false;
    let failed = false;
    let next;
    const send = async ({ values, settled, painted }) => {
      open = true;
      try {
        const drawn = await ask(values, settled);
        addClips(figure, drawn.clips);
        for (const slot of slots) {
          const marks = drawn.slots[slot.dataset.artist];
          if (marks) drawMarks(slot, marks);
        }
        if (failed) say(status, "");
        failed = false;
        painted.forEach((done) => done(values));
      } catch (error) {
        failed = true;
        say(status, error.message);
      }
      open = false;
      const newest = next;
      next = undefined;
      if (newest) send(newest);
    };
    return {
      controls,
      paint(all, settled, painted) {
        const values = valuesOf(all);
        if (!started) {
          started = true; // the picture that came shows the first setting
          painted(values);
        } else if (open) next = { values, settled, painted: [...(next?.painted ?? []), painted] };
        else send({ values, settled, painted: [painted] });
      },
      point(artist) {
        const element = slots.find((slot) => slot.dataset.artist === artist).firstElementChild;
        const hidden = !element || element.style.display === "none";
        const path = element?.tagName === "g" ? element.firstElementChild : element;
        const [, x, y] = (!hidden && /^M(\S+) (-?[\d.]+)/.exec(path.getAttribute("d"))) || [0, 0, 0];
        return { x: Number(x), y: Number(y), hidden };
      },
    };
  }

  function say(status, text) {
    status.textContent = text;
    status.classList.toggle("explorable-hidden", !text);
  }

  // A native control, read and set by the number of its value.
  function control(figure, { name, labels, keys, stride }) {
    const inputs = [...figure.querySelectorAll(`.explorable-controls [name="${name}"]`)];
    const [input] = inputs;
    const output = figure.querySelector(`output[for="${input.id}"]`);
    const row = input.closest(".explorable-control");
    const description = row.querySelector("label, legend").textContent;
    const button = row.querySelector(".explorable-play");
    const get = () => {
      if (input.type === "range") return Math.round((input.value - input.min) / input.step);
      if (input.type === "checkbox") return input.checked ? 1 : 0;
      if (input.type === "radio") return inputs.findIndex((radio) => radio.checked);
      return input.selectedIndex;
    };
    const set = (index) => {
      if (input.type === "range") input.value = Number(input.min) + index * input.step;
      else if (input.type === "checkbox") input.checked = index === 1;
      else if (input.type === "radio") inputs[index].checked = true;
      else input.selectedIndex = index;
    };
    const announce = (index) => {
      if (!output) return;
      output.textContent = labels[index];
      input.setAttribute("aria-valuetext", labels[index]);
    };
    const say = (index) => (input.type === "checkbox" ? `${description}: ` : output ? `${description} = ` : "") + labels[index];
    return { name, keys, stride, get, set, announce, say, button, last: keys.length - 1 };
  }

  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let stop = () => {}; // what plays; one at a time on a page
  let pending; // the address, of which there is one, too

  // Run a slider up, down and back to where it was, until a touch, a key, or the figure leaves the screen.
  function play(figure, { button, get, set, last }, show, settle) {
    stop();
    if (still.matches) return;
    const start = get();
    let step = 0;
    const timer = setInterval(() => {
      step++;
      const turned = (start + step) % (2 * last);
      set(turned > last ? 2 * last - turned : turned);
      show();
      if (step === 2 * last) stop();
    }, Math.min(500, Math.max(50, 3000 / last)));
    const seen = new IntersectionObserver((entries) => entries.at(-1).isIntersecting || stop());
    seen.observe(figure);
    const listening = new AbortController();
    const halt = (event) => {
      const own = event.target === button && (event.type !== "keydown" || event.key === "Enter" || event.key === " ");
      if (!own) stop(); // a press on the button is a click, too
    };
    for (const type of ["pointerdown", "keydown", "focusin", "visibilitychange"])
      document.addEventListener(type, halt, { capture: true, signal: listening.signal });
    still.addEventListener("change", halt, { signal: listening.signal });
    button.setAttribute("aria-pressed", "true");
    stop = () => {
      stop = () => {};
      clearInterval(timer);
      seen.disconnect();
      listening.abort();
      button.setAttribute("aria-pressed", "false");
      settle();
    };
  }

  // The curves as they are now, behind those that move on.
  function ghosts(figure) {
    const first = new Map();
    return [...figure.querySelectorAll(".explorable-slot")].flatMap((slot) => {
      const curves = [...slot.querySelectorAll(".explorable-curve")].filter((curve) => curve.style.display !== "none");
      if (!curves.length) return [];
      const ghost = slot.cloneNode();
      ghost.setAttribute("class", "explorable-ghost");
      for (const curve of curves) {
        const copy = curve.cloneNode(true);
        const { fill, stroke } = curve.style;
        copy.style.stroke = stroke && stroke !== "none" ? stroke : fill;
        if (fill === "none") copy.style.strokeDasharray = "3 2";
        ghost.append(copy);
      }
      const { parentNode } = slot;
      if (!first.has(parentNode)) first.set(parentNode, slot);
      parentNode.insertBefore(ghost, first.get(parentNode));
      return [ghost];
    });
  }

  // A point that is dragged: it moves its controls to their values nearest to it.
  function handle(figure, element, source, controls) {
    const svg = figure.querySelector("svg");
    const axes = ["x", "y"].filter((axis) => element.dataset[axis]).map((axis) => ({
      axis,
      control: controls.find((c) => c.name === element.dataset[axis]),
      places: element.dataset[`${axis}Places`].split(" ").map(Number),
    }));
    let here, grip;
    const pointer = ({ clientX, clientY }) => new DOMPoint(clientX, clientY).matrixTransform(svg.getScreenCTM().inverse());
    // Chromium takes no notice of touch-action inside a picture, and would scroll.
    element.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    element.addEventListener("pointerdown", (event) => {
      if (event.button || !event.isPrimary) return;
      event.preventDefault();
      element.setPointerCapture(event.pointerId);
      const at = pointer(event);
      grip = { x: here.x - at.x, y: here.y - at.y };
    });
    element.addEventListener("pointermove", (event) => {
      if (!element.hasPointerCapture(event.pointerId)) return;
      const at = pointer(event);
      let moved = false;
      for (const { axis, control: c, places } of axes) {
        const far = places.map((place) => Math.abs(place - at[axis] - grip[axis]));
        const nearest = far.indexOf(Math.min(...far));
        if (nearest === c.get()) continue;
        c.set(nearest);
        moved = true;
      }
      if (moved) figure.querySelector("form").dispatchEvent(new Event("input"));
    });
    return () => {
      here = source.point(element.dataset.artist);
      element.style.visibility = here.hidden ? "hidden" : ""; // without a box it would lose the pointer
      element.setAttribute("transform", `translate(${here.x} ${here.y})`);
    };
  }

  function start(figure, source) {
    const form = figure.querySelector(".explorable-controls");
    const status = figure.querySelector("[role=status]");
    const link = figure.querySelector(".explorable-actions a");
    const controls = source.controls.map((description) => control(figure, description));
    const handles = [...figure.querySelectorAll(".explorable-handle")].map((element) => handle(figure, element, source, controls));
    const initial = controls.map((c) => c.get());
    const pin = form.querySelector(".explorable-pin");
    let pinned = [];

    const address = () => {
      const settings = new URLSearchParams(controls.map((c) => [c.name, c.keys[c.get()]]));
      return `#${figure.id}?${settings}`;
    };
    const place = () => handles.forEach((move) => move());
    const show = () => {
      controls.forEach((c) => c.announce(c.get()));
      source.paint(controls, false, place);
      link.href = address();
    };
    const tell = () => {
      const texts = [...figure.querySelectorAll(".explorable-slot > text")].filter((e) => e.style.display !== "none");
      status.textContent = texts.map((e) => e.textContent).join("; ");
    };
    const restore = () => {
      const [, id, settings] = /^#([\w-]+)(?:\?|%3F)(.*)$/i.exec(location.hash) || [];
      if (id !== figure.id || !figure.isConnected) return;
      stop();
      clearTimeout(pending);
      const wrong = [];
      controls.forEach((c, i) => c.set(initial[i])); // what the address leaves out
      for (const [name, key] of new URLSearchParams(settings)) {
        const found = controls.find((c) => c.name === name);
        const index = found ? found.keys.indexOf(key) : -1;
        if (index < 0) wrong.push(`${name}=${key}`);
        else found.set(index);
      }
      show();
      say(status, wrong.length ? `The address asks for a setting that this figure lacks: ${wrong.join(", ")}` : "");
      figure.scrollIntoView();
    };

    const settle = () => {
      clearTimeout(pending);
      pending = setTimeout(() => {
        if (!figure.isConnected) return;
        history.replaceState(null, "", address());
        source.paint(controls, true, () => {
          status.classList.add("explorable-hidden");
          tell();
        });
      }, 300);
    };

    form.addEventListener("input", () => {
      stop();
      show();
      settle();
    });
    for (const c of controls)
      c.button?.addEventListener("click", () =>
        c.button.getAttribute("aria-pressed") === "true" ? stop() : play(figure, c, show, settle));
    pin?.addEventListener("click", () => {
      const on = pin.getAttribute("aria-pressed") === "false";
      pin.setAttribute("aria-pressed", on);
      pinned.forEach((ghost) => ghost.remove());
      pinned = [];
      const pinnedSetting = figure.querySelector(".explorable-pinned");
      pinnedSetting.textContent = "";
      if (!on) return;
      source.paint(controls, true, (values) => {
        if (pinned.length || pin.getAttribute("aria-pressed") === "false") return;
        pinned = ghosts(figure);
        pinnedSetting.textContent = `pinned: ${controls.map((c) => c.say(values[c.name])).join(", ")}`;
      });
    });
    form.addEventListener("reset", () => setTimeout(() => form.dispatchEvent(new Event("input"))));
    form.addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("hashchange", restore);
    form.querySelector("fieldset").disabled = false;
    show();
    restore();
    figure.dataset.ready = "true";
  }

  for (const figure of document.querySelectorAll("figure.explorable")) {
    const data = figure.querySelector(".explorable-recording");
    if (!data) continue;
    inflate(data.textContent).then(
      (bytes) => start(figure, recorded(figure, decode(bytes))),
      () => say(figure.querySelector("[role=status]"),
        "This browser is too old to move the controls; the figure shows its first state."),
    );
  }

  // Start a figure whose states `ask(values, settled)` promises, as the answers of kernel.py: `slots` has the marks of each
  // artist, or null where they are as they were. The message of an error is shown to the reader. `values` has the number of
  // each control's value by its name.
  window.explorable = {
    live(figure, ask) {
      const data = figure.querySelector(".explorable-live");
      if (data) start(figure, computed(figure, JSON.parse(data.textContent), ask));
    },
  };
})();
