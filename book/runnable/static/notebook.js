// A problem set of the page as a notebook: downloaded with the reader's answers in it, and opened again.

const gradeId = (cell) => cell.metadata?.nbgrader?.grade_id;
const text = (cell) => Array.isArray(cell?.source) ? cell.source.join("") : cell?.source;

// The notebook as it is handed out, at `address`; `cells` are those of the page.
async function original(address, cells) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the problem set's notebook did not come (${response.status})`);
  const notebook = await response.json();
  if (cells.some((cell) => text(notebook.cells[cell.index]) !== cell.original))
    throw new Error("the problem set has changed since this page was loaded; reload the page, your edits are kept");
  return notebook;
}

async function download(address, cells) {
  const notebook = await original(address, cells);
  for (const { index, source, answer } of cells) if (answer) notebook.cells[index].source = source.split(/(?<=\n)/);
  for (const cell of notebook.cells) if (cell.cell_type === "code") Object.assign(cell, { outputs: [], execution_count: null });
  const url = URL.createObjectURL(new Blob([`${JSON.stringify(notebook, null, 1)}\n`], { type: "application/x-ipynb+json" }));
  const name = decodeURIComponent(new URL(address).pathname.split("/").at(-1)).replace(/\.txt$/, "");
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return `${name} is among your downloads: hand it in, or open it here or in JupyterLab to go on.`;
}

// Put the answers of a file in the page with `write(cell, source)`, or throw with what is wrong with it.
async function open(file, address, cells, write) {
  const notebook = await original(address, cells);
  let given;
  try {
    given = JSON.parse(await file.text()).cells;
  } catch { /* said below */ }
  if (!Array.isArray(given)) throw new Error(`${file.name} is no notebook`);
  const found = new Map();
  for (const cell of cells.filter((one) => one.answer)) {
    const own = notebook.cells[cell.index];
    const id = gradeId(own);
    const same = given.find((other) => other.cell_type === own.cell_type && (id ? gradeId(other) === id : own.id && other.id === own.id));
    if (typeof text(same) === "string") found.set(cell, text(same));
    else if (id) throw new Error(`${file.name} is not a notebook of this problem set: it has no cell ${id}`);
  }
  for (const [cell, source] of found) if (source !== cell.source) write(cell, source);
  const more = given.length - notebook.cells.length;
  const lost = more > 0 ? ` The page cannot show ${more === 1 ? "a cell" : `${more} cells`} that you have added: a notebook that you download here lacks ${more === 1 ? "it" : "them"}.` : "";
  return `The answers of ${file.name} are on the page.${lost}`;
}

export default { download, open };
