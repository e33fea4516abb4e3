// The gathered pages as a printed book wants them; gather.js has come before.
"use strict";

// The cover and what stands before the first page.
function begin(title, front) {
  document.title = title;
  document.querySelectorAll("figure").forEach((node) => node.setAttribute("role", "group")); // the drawing in it has the text alternative
  document.body.insertAdjacentHTML("afterbegin", front);
}

// Writes the contents and gives the id of each entry: the pages and the sections of chapters, or of one page alone its sections.
// pages: [[slug, title, whether it is a chapter, the part that begins with it or ""]].
function contents(pages) {
  const list = document.querySelector(".contents"), entries = [], alone = pages.length === 1;
  const add = (id, className, ...words) => {
    const to = link("#" + id, make("span", "", ...words));
    to.dataset.number = "000";
    list.append(make("p", className, to));
    entries.push(id);
  };
  for (const [slug, title, chapter, part] of pages) {
    if (part && !alone) list.append(make("p", "part", part));
    if (!alone) add(slug, "first", title);
    if (!alone && !chapter) continue;
    for (const heading of document.getElementById(slug).querySelectorAll("h2")) {
      add(heading.closest("section[id]").id, alone ? "first" : "second", ...heading.cloneNode(true).childNodes);
    }
  }
  return entries;
}

function number(numbers) {
  document.querySelectorAll(".contents a").forEach((to, k) => { to.dataset.number = numbers[k]; });
}

// Typesets all formulas, with their source as text alternative; gives what MathJax does not know, with its page.
async function typeset() {
  await MathJax.startup.promise;
  await MathJax.typesetPromise();
  for (const { typesetRoot, math } of MathJax.startup.document.math) {
    typesetRoot.querySelectorAll("mjx-assistive-mml").forEach((part) => part.remove());
    typesetRoot.querySelectorAll("[aria-hidden]").forEach((part) => part.removeAttribute("aria-hidden")); // or it is tagged as decoration
    typesetRoot.querySelectorAll("mjx-c").forEach(real);
    typesetRoot.setAttribute("role", "img");
    typesetRoot.setAttribute("aria-label", math.trim());
  }
  await Promise.all([...document.fonts].map((font) => font.load()));
  return [...document.querySelectorAll("mjx-merror, mjx-container [data-mjx-error]")].map((node) =>
    `${node.closest("section.page")?.id}: ${node.getAttribute("data-mjx-error")}`);
}

// MathJax draws letters as ::before, which is never tagged: write them as text, measured in their own size.
function real(glyph) {
  const drawn = getComputedStyle(glyph, "::before"), letter = document.createElement("span");
  letter.textContent = drawn.content.slice(1, -1).replace(/^\\/, "");
  for (const name of ["display", "width", "padding", "margin", "transform", "position", "top", "left"]) {
    letter.style[name] = drawn[name].replace(/([\d.e-]+)px/g, (_, pixels) => `${pixels / parseFloat(drawn.fontSize)}em`);
  }
  glyph.append(letter);
  glyph.classList.add("real");
}

// Formulas and tables that are wider than the page become smaller; gives what is wider still.
function fit(width) {
  const over = (node) => node.getBoundingClientRect().right - width > 1;
  for (const node of document.querySelectorAll("div.math mjx-math, table")) {
    if (over(node)) node.style.fontSize = `${Math.floor((97 * node.parentElement.clientWidth) / node.getBoundingClientRect().width)}%`;
  }
  return [...document.querySelectorAll("section.page *")].filter((node) => over(node) && !node.closest("svg") && !node.parentElement.closest("mjx-math"))
    .map((node) => `${node.closest("section.page").id}: ${node.textContent.slice(0, 60)}`);
}
