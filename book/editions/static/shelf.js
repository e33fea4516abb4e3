// The gathered pages as an e-book wants them: each formula in MathML, each page in XHTML.
"use strict";

// Every formula in MathML, with its source for those who read that; gives what could not be written, with its page.
async function formulas() {
  const wrong = [];
  for (const node of document.querySelectorAll("span.math, div.math")) {
    const block = node.tagName === "DIV";
    const holder = block ? [...node.childNodes].find((child) => child.nodeType === Node.TEXT_NODE && child.data.trim()) : node.firstChild;
    const source = holder.data.trim().slice(2, -2).trim();
    const text = await MathJax.tex2mmlPromise(source, { display: block });
    const math = new DOMParser().parseFromString(text, "text/html").querySelector("math");
    if (math.querySelector("merror")) wrong.push(`${node.closest("section.page").id}: ${source}`);
    for (const sign of math.querySelectorAll("mo")) close(sign);
    for (const part of [math, ...math.querySelectorAll("*")]) {
      for (const { name } of [...part.attributes]) if (name.startsWith("data-") || name === "class") part.removeAttribute(name);
    }
    math.setAttribute("alttext", source);
    holder.replaceWith(math);
  }
  return wrong;
}

// A bar, a bracket or a prime stands close to what it belongs to: TeX knows which is which, a reader's MathML does not.
function close(sign) {
  if (!["ORD", "OPEN", "CLOSE"].includes(sign.dataset.mjxTexclass) && !/^[\u2032-\u2034]$/.test(sign.textContent)) return;
  for (const side of ["lspace", "rspace"]) if (!sign.hasAttribute(side)) sign.setAttribute(side, "0em");
}

// The text of a page, in XHTML.
function chapter(slug) {
  const page = document.getElementById(slug);
  for (const svg of page.querySelectorAll("svg")) plain(svg);
  for (const link of page.querySelectorAll('a[href^="#"]')) {
    const id = link.getAttribute("href").slice(1), home = document.getElementById(id).closest("section.page");
    if (home !== page) link.setAttribute("href", `${home.id}.xhtml${id === home.id ? "" : "#" + id}`);
  }
  for (const node of page.querySelectorAll("[data-right], [data-runnable], [data-within]")) {
    for (const { name } of [...node.attributes]) if (name.startsWith("data-")) node.removeAttribute(name);
  }
  return new XMLSerializer().serializeToString(page);
}

// E-readers know neither the page's variables nor its colours.
function plain(svg) {
  svg.querySelectorAll("path:not([d])").forEach((path) => path.remove());  // of another setting
  const width = svg.style.getPropertyValue("--explorable-width");
  svg.removeAttribute("style");
  if (width) svg.setAttribute("style", `max-width: ${Math.round(width * 1.5)}px`);
  for (const node of svg.querySelectorAll("*")) {
    for (const { name, value } of [...node.attributes]) {
      if (value.includes("var(--explorable-page)")) node.setAttribute(name, value.replaceAll("var(--explorable-page)", "#fff"));
      else if (name === "style" && value.includes("--explorable")) node.setAttribute(name, fixed(value));
      else if (name.startsWith("data-")) node.removeAttribute(name);
    }
  }
}

// "--explorable-size:9;x:y" has no use there, and "max(11px,var(--explorable-least,0)*1px)" is 11px.
function fixed(style) {
  return style.replace(/max\((\d+(?:\.\d+)?px),var\(--explorable-least,0\)\*1px\)/g, "$1").replace(/--explorable-[^;]*;?/g, "");
}

// [id, text] of each section of a page.
function headings(slug) {
  return [...document.getElementById(slug).querySelectorAll("h2")].map((heading) => {
    const copy = heading.cloneNode(true);
    copy.querySelectorAll("math").forEach((math) => math.replaceWith(math.textContent.replace(/\s+/g, "")));
    return [heading.closest("section[id]").id, copy.textContent.trim()];
  });
}
