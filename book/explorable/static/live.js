// Moves live figures, whose states Python draws when they are asked for; explorable.js does the rest.

const { start, draw, legible } = window.explorable;
const SLOW = 700; // ms after which a figure says that it waits

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
    element.shown = {};
    const x = points.filter((_, k) => k % 2 === 0);
    const y = points.filter((_, k) => k % 2);
    const track = { tag, style: [1], body: [0], shape: [0], counts: [x.length], width: 0, x, y }; // of one state
    draw({ styles: ["", legible(style) || " "], bodies: [body] }, track, element, 0);
  });
  while (slot.children.length > marks.length) slot.lastChild.remove();
}

// A track whose only state has the place of what an element shows: for the handle that is there.
function placeOf(element) {
  const track = { style: [0], shape: [0], width: 0, x: [0], y: [0] };
  return { track, artist: element.parentNode.dataset.artist };
}

function look(figure, { track, artist }) {
  const element = figure.querySelector(`.explorable-slot[data-artist="${artist}"] > *`);
  const path = element && element.style.display !== "none" && / d="M(\S+) (-?[\d.]+)/.exec(element.outerHTML);
  track.style[0] = path ? 1 : 0;
  if (path) [track.x[0], track.y[0]] = [path[1] * 10, path[2] * 10];
}

function addClips(figure, clips = {}) {
  const paths = Object.entries(clips).map(([id, content]) => `<clipPath id="${id}">${content}</clipPath>`);
  if (paths.length) figure.querySelector("svg").insertAdjacentHTML("beforeend", `<defs>${paths.join("")}</defs>`);
}

// A recording of one state, which is drawn anew: one question is open at a time, and meanwhile only the newest setting is
// remembered.
function computed(figure, controls, ask) {
  const slots = [...figure.querySelectorAll(".explorable-slot")];
  const places = slots.flatMap((slot) => [...slot.children]).map(placeOf);
  const status = figure.querySelector("[role=status]");
  const say = (text) => {
    status.textContent = text;
    status.classList.toggle("explorable-hidden", !text);
    said = Boolean(text);
  };
  let started = false;
  let open = false;
  let said = false; // by this module, which leaves what others say
  let next;
  const finish = (painted, get) => {
    places.forEach((place) => look(figure, place));
    painted.forEach((then) => then(get));
  };
  const send = async ({ values, still, painted }) => {
    open = true;
    const slow = setTimeout(say, SLOW, "Python is at work; Stop Python ends it.");
    try {
      const answer = await ask(values, still);
      addClips(figure, answer.clips);
      for (const slot of slots) {
        const marks = answer.slots[slot.dataset.artist];
        if (marks) drawMarks(slot, marks);
      }
      if (said) say("");
      finish(painted, (c) => values[c.name]);
    } catch (error) {
      say(error.message);
    }
    clearTimeout(slow);
    open = false;
    const newest = next;
    next = undefined;
    if (newest) send(newest);
  };
  return {
    controls: controls.map((control) => ({ ...control, stride: 0 })),
    tracks: places.map(({ track }) => track),
    paint(all, still, painted) {
      const values = Object.fromEntries(all.map((c) => [c.name, c.get()]));
      if (!started) {
        started = true; // the picture that came shows the first setting
        finish([painted], (c) => values[c.name]);
      } else if (open) next = { values, still, painted: [...(next?.painted ?? []), painted] };
      else send({ values, still, painted: [painted] });
    },
  };
}

// Start a figure whose states `ask(values, still)` promises, as the answers of kernel.py: `slots` has the marks of each
// artist, or null where they are as they were. The message of an error is shown to the reader. `values` has the number of
// each control's value by its name; `still` says that no hand is moving them.
export default function live(figure, ask) {
  const data = figure.querySelector(".explorable-live");
  if (data) start(figure, computed(figure, JSON.parse(data.textContent).controls, ask));
}
