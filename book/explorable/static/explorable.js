// Replays recordings, as recording.py writes them.
(() => {
  "use strict";

  const VERTICES = { M: 1, L: 1, Q: 2, C: 3, Z: 0 };

  async function inflate(base64) {
    const bytes = Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Undo _pack: zigzag code, then running sums along columns and rows, modulo 2**16.
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

  function decode(bytes) {
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const recording = { ...JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))), paint };
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

  function pathData(track, body, shape) {
    const { x, y, width } = track;
    let k = shape * width;
    const end = k + track.counts[shape];
    const parts = [];
    if (body.startsWith("stamp:")) {
      const [before, after] = track.tag === "g" ? ['<path d="M', '"/>'] : ["M", ""];
      for (; k < end; k++) parts.push(before, x[k] / 10, " ", y[k] / 10, body.slice(6), after);
      return parts.join("");
    }
    for (const [, letter, times] of body.matchAll(/([A-Z])(\d+)/g)) {
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

  function draw(recording, track, element, state) {
    const shown = element.shown || (element.shown = {});
    const style = track.style[state];
    const body = track.body[state];
    const shape = track.shape[state];
    if (style !== shown.style) {
      element.setAttribute("style", style ? recording.styles[style] : "display:none");
      shown.style = style;
    }
    if (!style || (body === shown.body && shape === shown.shape)) return;
    shown.body = body;
    shown.shape = shape;
    const text = recording.bodies[body];
    if (track.tag === "path") return element.setAttribute("d", pathData(track, text, shape));
    if (track.tag === "g") return (element.innerHTML = pathData(track, text, shape));
    const x = track.x[shape * track.width] / 10;
    const y = track.y[shape * track.width] / 10;
    const colon = text.indexOf(":");
    const head = text.slice(0, colon);
    element.setAttribute("x", x);
    element.setAttribute("y", y);
    if (track.tag === "text") {
      if (head === "0") element.removeAttribute("transform");
      else element.setAttribute("transform", `rotate(${head} ${x} ${y})`);
      element.textContent = text.slice(colon + 1);
    } else {
      const [width, height] = head.split(",");
      element.setAttribute("width", width);
      element.setAttribute("height", height);
      element.setAttribute("preserveAspectRatio", "none");
      element.setAttribute("href", `data:image/png;base64,${text.slice(colon + 1)}`);
    }
  }

  // live.js has another one.
  function paint(controls, still, painted, state, elements) {
    if (!still) this.tracks.forEach((track, i) => draw(this, track, elements[i], state));
    painted((c) => c.get());
  }

  // A native control, by the number of its value.
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

  // Run a slider up, down and back, until a touch, a key, or the figure leaves the screen.
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

  // The curves as they are now.
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

  // A point that is dragged, and moves its controls.
  function handle(figure, element, recording, elements, controls) {
    const svg = figure.querySelector("svg");
    const track = elements.findIndex((e) => e.parentNode.dataset.artist === element.dataset.artist);
    const { style, shape, width, x, y } = recording.tracks[track];
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
    return (state) => {
      const k = shape[state] * width;
      here = { x: x[k] / 10, y: y[k] / 10 };
      element.style.visibility = style[state] ? "" : "hidden"; // without a box it would lose the pointer
      element.setAttribute("transform", `translate(${here.x} ${here.y})`);
    };
  }

  function start(figure, recording) {
    const form = figure.querySelector(".explorable-controls");
    const status = figure.querySelector("[role=status]");
    const link = figure.querySelector(".explorable-actions a");
    const elements = [...figure.querySelectorAll(".explorable-slot > *")];
    const controls = recording.controls.map((description) => control(figure, description));
    const handles = [...figure.querySelectorAll(".explorable-handle")].map((element) =>
      handle(figure, element, recording, elements, controls));
    const initial = controls.map((c) => c.get());
    const pin = form.querySelector(".explorable-pin");
    let pinned = [];

    const address = () => {
      const settings = new URLSearchParams(controls.map((c) => [c.name, c.keys[c.get()]]));
      return `#${figure.id}?${settings}`;
    };
    const show = () => {
      let state = 0;
      for (const c of controls) {
        const index = c.get();
        c.announce(index);
        state += index * c.stride;
      }
      if (document.readyState === "complete") link.href = address(); // no selector, as Bootstrap expects
      recording.paint(controls, false, () => handles.forEach((place) => place(state)), state, elements);
    };
    const tell = () => {
      status.classList.add("explorable-hidden");
      const texts = [...figure.querySelectorAll(".explorable-slot > text")].filter((e) => e.style.display !== "none");
      status.textContent = texts.map((e) => e.textContent).join("; ");
    };
    const restore = () => {
      const [, id, settings] = /^#([\w-]+)(?:\?|%3F)(.*)$/i.exec(location.hash) || [];
      if (document.getElementById(id) !== figure) return;
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
      status.textContent = wrong.length ? `The address asks for a setting that this figure lacks: ${wrong.join(", ")}` : "";
      status.classList.toggle("explorable-hidden", !wrong.length);
      figure.scrollIntoView();
    };

    const settle = () => {
      clearTimeout(pending);
      pending = setTimeout(() => {
        history.replaceState(null, "", address());
        recording.paint(controls, true, tell);
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
      recording.paint(controls, true, (get) => {
        pinned.forEach((ghost) => ghost.remove());
        pinned = on ? ghosts(figure) : [];
        figure.querySelector(".explorable-pinned").textContent =
          on ? `pinned: ${controls.map((c) => c.say(get(c))).join(", ")}` : "";
      });
    });
    form.addEventListener("reset", () => setTimeout(() => form.dispatchEvent(new Event("input"))));
    form.addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("hashchange", restore);
    window.addEventListener("load", () => setTimeout(show));
    form.querySelector("fieldset").disabled = false;
    show();
    restore();
    figure.dataset.ready = "true";
  }

  window.explorable = { start, draw, legible }; // for live.js

  for (const figure of document.querySelectorAll("figure.explorable")) {
    const data = figure.querySelector(".explorable-recording");
    if (!data) continue;
    inflate(data.textContent).then(
      (bytes) => start(figure, decode(bytes)),
      () => {
        const status = figure.querySelector("[role=status]");
        status.textContent = "This browser is too old to move the controls; the figure shows its first state.";
        status.classList.remove("explorable-hidden");
      },
    );
  }
})();
