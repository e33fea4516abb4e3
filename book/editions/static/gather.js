// The text of a built page, rearranged for paper and for a reader's shelf: what is folded away or answers to a finger
// is turned into plain text, answers and solutions go to the end of the page, and links stay inside the book.
"use strict";

// pages: {path in the site: slug}; address: where the site is published, or "".
// Gives a <section id=slug> whose ids all begin with "slug--".
async function gather(path, slug, pages, address) {
  const answer = await fetch("/" + path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const article = page.querySelector("article.bd-article > section");
  if (!article) throw new Error(`${path}: no <article class="bd-article"> with a section`);
  article.querySelectorAll("script, noscript, button, .headerlink, .toctree-wrapper, .explorable-pinned, .explorable-hidden, .explorable-target, .explorable-ring")
    .forEach((node) => node.remove());
  article.querySelectorAll("figure.explorable").forEach((figure) => still(figure, path, address));
  article.querySelectorAll("details.admonition.hide").forEach(folded);
  const answers = [...article.querySelectorAll("fieldset.prediction")].map(question);
  const solutions = [...article.querySelectorAll("div.solution")].map(solution);
  article.querySelectorAll("details").forEach(unfold);
  append(article, "Answers to the questions", "answers", answers);
  append(article, "Solutions to the exercises", "solutions", solutions);

  const section = document.createElement("section");
  section.id = slug;
  section.className = "page";
  section.append(...document.adoptNode(article).childNodes);
  if (article.id) section.prepend(anchor(article.id));
  const base = new URL("/" + path, location.href);
  names(section, slug);
  links(section, base, pages, slug, address);
  return section;
}

const anchor = (id) => Object.assign(document.createElement("span"), { id });

function make(tag, className, ...content) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...content);
  return node;
}

function link(href, text) {
  const node = make("a", "", text);
  node.setAttribute("href", href);
  return node;
}

// A figure with controls shows one setting: its caption says which, and where the others are.
function still(figure, path, address) {
  const controls = [...figure.querySelectorAll(".explorable-control")].map(setting);
  figure.querySelector("form")?.remove();
  if (!controls.length) return;
  const note = make("p", "explorable-setting", `Shown: ${controls.join(", ")}. `);
  if (address) note.append("It moves at ", link(`${address}${path}#${figure.id}`, `${address}${path}#${figure.id}`), ".");
  else note.append("It moves on the page of the book.");
  figure.querySelector("figcaption").append(note);
}

function setting(control) {
  const label = control.querySelector("label, legend").textContent.trim();
  if (control.matches(".explorable-radio")) return `${label} ${control.querySelector("input[checked]").closest("label").textContent.trim()}`;
  const select = control.querySelector("select");
  if (select) return `${label} ${(select.querySelector("option[selected]") ?? select.options[0]).textContent.trim()}`;
  const box = control.querySelector("input[type=checkbox]");
  if (box) return `${label} ${box.hasAttribute("checked") ? "on" : "off"}`;
  return `${label} ${control.querySelector("output").textContent.trim()}`;
}

// Code that the page folds away stays in the notebook; what it printed or drew stays here.
function folded(details) {
  const cell = details.closest("div.cell");
  if (details.querySelector(".cell_input")) details.remove();
  else unfold(details);
  if (cell && !cell.textContent.trim() && !cell.querySelector("svg, img")) cell.remove();
}

function unfold(details) {
  details.querySelector("summary")?.remove();
  details.replaceWith(...details.childNodes);
}

// A question keeps its choices; its answers go to the end of the page.
function question(field) {
  const box = make("div", "question");
  box.id = field.id;
  const text = make("p", "question-text", make("strong", "", "Before you read on. "), ...field.querySelector("legend").childNodes);
  const list = field.querySelector(":scope > ol");
  list?.querySelectorAll("li").forEach((item) => item.replaceChildren(...item.querySelector("span").childNodes));
  const to = make("p", "to-answer", link(`#${field.id}-answer`, "The answer"));
  box.append(text, ...(list ? [list] : []), to);
  const answer = make("div", "answer");
  answer.id = `${field.id}-answer`;
  const told = field.querySelector("details");
  told.querySelector("summary").remove();
  answer.append(make("p", "", link(`#${field.id}`, "The question"), ": ", ...[...text.childNodes].slice(1).map((node) => node.cloneNode(true))), ...told.childNodes);
  field.replaceWith(box);
  return answer;
}

// A solution goes to the end of the page, and its exercise says so.
function solution(box) {
  const title = box.querySelector(".admonition-title");
  const exercise = title.querySelector("a");
  const answer = make("div", "answer", make("p", "answer-title", ...title.childNodes), ...[...box.querySelectorAll(":scope > :not(.admonition-title)")]);
  answer.id = box.id;
  const of = exercise && box.ownerDocument.getElementById(decodeURIComponent(exercise.getAttribute("href").slice(1)));
  if (of) of.append(make("p", "to-answer", link(`#${box.id}`, "The solution")));
  box.remove();
  return answer;
}

function append(article, title, id, parts) {
  if (!parts.length) return;
  const section = make("section", "answers", make("h2", "", title), ...parts);
  section.id = id;
  article.append(section);
}

// Ids are unique in a page, and here many pages stand in one document.
function names(section, slug) {
  const own = new Set();
  for (const node of section.querySelectorAll("[id]")) {
    if (own.has(node.id)) node.removeAttribute("id");
    else own.add(node.id);
  }
  for (const node of section.querySelectorAll("[id]")) node.id = name(slug, node.id);
  for (const node of section.querySelectorAll("svg *")) {
    for (const { name: attribute, value } of [...node.attributes]) {
      if (attribute === "href" || attribute === "xlink:href") {
        if (value.startsWith("#")) node.setAttribute(attribute, "#" + name(slug, value.slice(1)));
      } else if (value.includes("url(#")) {
        node.setAttribute(attribute, value.replace(/url\(#([^)]+)\)/g, (_, id) => `url(#${name(slug, id)})`));
      }
    }
  }
}

const name = (slug, id) => `${slug}--${id.replace(/[^\w.-]/g, "_")}`; // a name in XML, too

// Links lead to places of this book; where it has none, to the published site; and where there is none, nowhere.
function links(section, base, pages, slug, address) {
  for (const node of section.querySelectorAll("a[href]")) {
    const url = new URL(node.getAttribute("href"), base);
    if (url.host !== location.host) continue;
    const path = url.pathname.slice(1), target = pages[path], id = decodeURIComponent(url.hash.slice(1));
    const [place, set] = id.split("?");
    if (address && (target === undefined || set !== undefined)) node.setAttribute("href", address + path + url.hash);
    else if (target !== undefined) node.setAttribute("href", "#" + (place ? name(target, place) : target));
    else node.replaceWith(...node.childNodes);
  }
  for (const node of section.querySelectorAll("img[src]")) node.src = new URL(node.getAttribute("src"), base).href;
}

// The links of all gathered pages that lead nowhere.
function lost() {
  return [...document.querySelectorAll('section.page a[href^="#"]')].filter((node) => !document.getElementById(node.getAttribute("href").slice(1)))
    .map((node) => `${node.closest("section.page").id}: a link to ${node.getAttribute("href").slice(1)}, which is nowhere`);
}
