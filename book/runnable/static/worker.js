// Python for one page: loads Pyodide and the book's code, then does what the page asks. kernel.py has the messages.

const START = `
import json
import sys

def start(post, cwd):
    sys.path.insert(0, cwd)
    from runnable.kernel import Kernel

    kernel = Kernel(lambda message: post(json.dumps(message)), cwd)

    def handle(text):
        message = json.loads(text)
        getattr(kernel, message.pop("type"))(**message)

    return handle

start
`;

let handle;

// Tells the page how much has come, by counting in all that is fetched from now on.
function count(total) {
  const { fetch } = self;
  let loaded = 0;
  let told = 0;
  self.fetch = async (...request) => {
    const response = await fetch(...request);
    if (!response.ok || !response.body) return response;
    const counted = response.body.pipeThrough(new TransformStream({
      transform(piece, stream) {
        loaded += piece.byteLength;
        stream.enqueue(piece);
        if (loaded - told < 100_000) return;
        told = loaded;
        postMessage({ type: "progress", loaded, total });
      },
    }));
    const { status, statusText, headers } = response;
    return new Response(counted, { status, statusText, headers });
  };
}

async function unpacked(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.arrayBuffer();
}

async function start({ base, packages, archives, cwd, total }) {
  count(total);
  const archiving = Promise.all(archives.map(unpacked));
  archiving.catch(() => {}); // it is awaited below
  const { loadPyodide } = await import(`${base}pyodide.mjs`);
  const pyodide = await loadPyodide({ indexURL: base });
  const problems = [];
  await pyodide.loadPackage(packages, { messageCallback() {}, errorCallback: (problem) => problems.push(problem) });
  const loaded = Object.keys(pyodide.loadedPackages).map((name) => name.toLowerCase()); // "Pillow"
  const missing = packages.filter((name) => !loaded.includes(name));
  if (missing.length) throw new Error(`${missing.join(", ")} did not come. ${problems.join(" ")}`);
  pyodide.FS.mkdirTree(cwd);
  for (const archive of await archiving) pyodide.unpackArchive(archive, "zip", { extractDir: cwd });
  handle = pyodide.runPython(START)((text) => postMessage(JSON.parse(text)), cwd);
}

self.onmessage = async ({ data }) => {
  try {
    if (data.type === "start") {
      await start(data);
      postMessage({ type: "ready" });
    } else handle(JSON.stringify(data));
  } catch (error) {
    postMessage({ type: "failed", message: String(error?.message ?? error) });
  }
};
