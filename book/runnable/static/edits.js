// What the reader wrote and the page cannot simply take: before the book changed, or in another tab. `page` has runnable.js's own.

// Offer a text that was written in a cell before the book changed it; `editable`: whether the cell is still there to take it.
function conflict({ make, button, name, notes, bar, keep, write }, place, cell, source, editable) {
  const drop = () => {
    old.remove();
    keep(place, null);
    (cell?.run ?? bar).focus();
  };
  const use = () => {
    old.remove();
    write(cell, source);
    cell.area.focus();
  };
  const old = make("div", { className: "runnable-note runnable-conflict" },
    make("p", {}, `The book has changed here since you edited ${cell ? name(cell) : `cell ${Number(place) + 1}`}. You wrote:`),
    make("pre", {}, source), ...(editable ? [button("Use what I wrote", use)] : []), button("Delete it", drop));
  (cell?.bar ?? notes).append(old);
}

// Take over what another tab with this page has just kept in place of `oldValue`.
function others({ shown, note, unedit, write }, { oldValue, newValue }) {
  const [before, now] = [oldValue, newValue].map((text) => JSON.parse(text) ?? {});
  for (const cell of shown) {
    const [old, source] = [before, now].map((all) => all[cell.place]?.source ?? cell.original);
    if (source === old || source === cell.source) continue;
    if (cell.source !== old) note(cell, "You have written something else here in another tab. What you write last is kept.");
    else if (source === cell.original) unedit(cell);
    else write(cell, source);
  }
}

export default { conflict, others };
