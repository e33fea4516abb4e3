// The search of the book: before what Sphinx finds in whole pages come the sections that words.js knows (finding.sphinx_ext).
//
// It goes on from three functions of Sphinx's searchtools.js: `query`, `_performSearch` and `makeSearchSummary`.
"use strict";

const LAST = /^book\/(assignments\/|problem_sets|course|teach|references|sources|your_figures|index)/; // after the chapters, unless its title has the words
const SMALL = new Set("a an and are as at by do does for from how i in is it of on or s the to what when where which who why with".split(" "));

// American spelling becomes the book's.
const british = (word) => {
  const lower = word.toLowerCase();
  if (Object.hasOwn(FINDING.spellings, lower)) return FINDING.spellings[lower];
  return /^(re|down|over)?siz/.test(lower) ? word : word.replace(/(\w{3})iz(e[drs]?|ing|ations?|able)$/i, "$1is$2");
};
const spelled = (text) => text.replace(/[\p{Letter}\p{Number}_]+/gu, british);

// The words that matter, in the singular.
const wordsOf = (text) => {
  const all = splitQuery(spelled(text).toLowerCase());
  const kept = all.filter((word) => !SMALL.has(word));
  return (kept.length ? kept : all).map((word) => word.replace(/(?<=\w{3}[^su])s$/, "")); // not "loss", not "bias"es
};

// How well what stands in words.js fits what was typed; 0: not at all.
const fit = (known, typed) => {
  const holds = (all, some) => some.every((word) => all.includes(word));
  if (known.join(" ") === typed.join(" ")) return 1000;
  if (known.length === typed.length && holds(known, typed) && holds(typed, known)) return 900;
  if (known.join("").length > 1 && holds(typed, known)) return 500 + known.join(" ").length;
  return typed.join("").length > 2 && holds(known, typed) ? 300 - known.length : 0;
};

const escaped = (text) => Object.assign(document.createElement("i"), { textContent: text }).innerHTML;

const known = (query) => {
  const { docnames, titles, alltitles, filenames } = Search._index;
  const typed = wordsOf(query);
  if (!typed.length) return [];
  return FINDING.entries.flatMap(({ page, anchor, title, text, words }) => {
    const score = Math.max(...words.map((word) => fit(wordsOf(word), typed)));
    const file = docnames.indexOf(page);
    if (!score || file < 0) return [];
    const heading = () => Object.entries(alltitles).find(([, places]) => places.some(([at, id]) => at === file && `#${id}` === anchor))?.[0];
    const section = title || (anchor && heading());
    return [[page, section ? `${titles[file]} > ${escaped(section)}` : titles[file], anchor, text ? escaped(text) : null, score, filenames[file]]];
  });
};

const { query: sphinxQuery, _performSearch: sphinxSearch, makeSearchSummary: sphinxSummary } = Search;

Search.query = (query) => sphinxQuery(spelled(query));

// Sphinx shows the last of the list first.
Search._performSearch = (query, ...rest) => {
  const first = known(query).sort((a, b) => b[4] - a[4]); // a stable sort: those that fit as well stay in their order
  const at = ([page, , anchor]) => page + anchor;
  const best = first.filter((result, place) => place === first.findIndex((other) => at(other) === at(result) && other[1] === result[1]));
  const seen = new Set(best.map(at));
  const others = sphinxSearch(query, ...rest).filter((result) => !seen.has(at(result)));
  const late = ([page, title]) => {
    const [chapter, section = ""] = title.split(" > ");
    return (LAST.test(page) && !chapter.toLowerCase().includes(spelled(query).toLowerCase().trim())) || /Solution to Exercise|^Exercise/.test(section);
  };
  const results = [...others.filter(late), ...others.filter((result) => !late(result)), ...best.reverse()];
  if (!results.length) nothing();
  return results;
};

const nothing = () => {
  const link = (href, text) => `<a href="${href}">${text}</a>`;
  document.getElementById("search-results").insertAdjacentHTML("beforeend",
    `<p class="finding-nothing">Try one word instead of several, or look into the ${link("book/glossary.html", "glossary")}, `
    + `the ${link("book/notation.html", "notation page")} or the ${link("genindex.html", "index")}.</p>`);
};

// Below a page that holds the words: the first of its sections that has most of them, and what stands there.
Search.makeSearchSummary = (html, words, anchor) => {
  if (anchor) return sphinxSummary(html, words, `#${CSS.escape(anchor.slice(1))}`);
  const count = ({ textContent }) => [...words].filter((word) => textContent.toLowerCase().includes(word)).length;
  const sections = [...new DOMParser().parseFromString(html, "text/html").querySelectorAll("[role=main] section[id] section[id]")];
  const [most, section] = sections.map((one) => [count(one), one]).sort(([a], [b]) => b - a)[0] ?? [0];
  const heading = most && section.querySelector("h2, h3");
  if (!heading) return sphinxSummary(html, words, anchor);
  const made = sphinxSummary(html, words, `#${CSS.escape(section.id)}`);
  heading.querySelector(".headerlink")?.remove();
  queueMicrotask(() => { // Sphinx has put it into the list by then
    const { href } = made.parentElement.querySelector("a");
    made.prepend("In ", Object.assign(document.createElement("a"), { href: `${href}#${section.id}`, textContent: heading.textContent }), ": ");
  });
  return made;
};
