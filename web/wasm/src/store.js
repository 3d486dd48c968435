// A package's files: fetched in pieces, checked against the SHA-256 that model_info.json gives each, kept in
// the origin's private file system (OPFS), and read from there without a network.
import { QuireError } from "./core.js";

const INFO = "model_info.json";
const MOST_INFO_BYTES = 16 << 20;
const DAMAGED = "damaged_download";

async function folderOf(url) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(url));
  const name = [...new Uint8Array(digest, 0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const root = await navigator.storage.getDirectory();
  const quire = await root.getDirectoryHandle("quire", { create: true });
  return quire.getDirectoryHandle(name, { create: true });
}

async function readText(folder, name) {
  try {
    return await (await (await folder.getFileHandle(name)).getFile()).text();
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    throw error;
  }
}

async function writeFile(folder, name, pieces) {
  const handle = await (await folder.getFileHandle(name, { create: true })).createSyncAccessHandle();
  try {
    handle.truncate(0);
    let at = 0;
    for await (const piece of pieces) at += handle.write(piece, { at });
    handle.flush();
    return at;
  } finally {
    handle.close();
  }
}

async function* piecesOf(response, seen) {
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    seen(value);
    yield value;
  }
}

async function fetchFile(url, signal) {
  const response = await fetch(url, { signal, cache: "no-store" });
  if (!response.ok) {
    throw new QuireError(`${url} cannot be fetched: the server says ${response.status}; check the address`, "fetch_failed");
  }
  return response;
}

/** What model_info.json says of the files, refused where it is no package of ours. */
function readInfo(text, url) {
  let info;
  try {
    info = JSON.parse(text);
  } catch {
    info = null;
  }
  if (info?.format !== "quire-model-package" || typeof info.files !== "object") {
    throw new QuireError(`${url} is no model package; give the address of a folder that quire-export made`, "bad_model");
  }
  for (const [name, file] of Object.entries(info.files)) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name) || !Number.isSafeInteger(file.size) || !/^[0-9a-f]{64}$/.test(file.sha256)) {
      throw new QuireError(`${url} names a file "${name.slice(0, 64)}" that cannot be fetched; export the package again`, "bad_model");
    }
  }
  return info;
}

/** The newest model_info.json: the server's, or without a network the one that is kept. */
async function currentInfo(base, folder, signal) {
  try {
    const text = await (await fetchFile(base + INFO, signal)).text();
    if (text.length > MOST_INFO_BYTES) throw new QuireError(`${base + INFO} is larger than 16 MiB; export the package again`, "bad_model");
    return text;
  } catch (error) {
    if (signal?.aborted || error instanceof QuireError) throw error;
    const kept = await readText(folder, INFO);
    if (kept !== null) return kept;
    throw new QuireError(`${base} cannot be reached and is not kept here; check the network and the address`, "fetch_failed");
  }
}

async function download(base, folder, name, want, core, signal, advance) {
  const hash = core.sha256();
  const response = await fetchFile(base + name, signal);
  const size = await writeFile(folder, name, piecesOf(response, (piece) => {
    hash.update(piece);
    advance(piece.length);
  }));
  if (size === want.size && hash.hex() === want.sha256) return;
  await folder.removeEntry(name);
  throw new QuireError(`the download of ${base + name} is damaged: its SHA-256 is not the one model_info.json gives; load it again`, DAMAGED);
}

/**
 * Sees that all files of the package at `base` (it ends in "/") are kept here, whole.
 * `onProgress({file, loaded, total})` in bytes of the package; what is kept counts as loaded.
 * Returns the folder's File objects by name.
 */
export async function obtain(base, core, { onProgress = () => {}, signal } = {}) {
  const folder = await folderOf(base);
  // One tab downloads, the others wait and find it done.
  return navigator.locks.request("quire " + base, { signal }, async () => {
    const text = await currentInfo(base, folder, signal);
    const info = readInfo(text, base + INFO);
    const kept = JSON.parse((await readText(folder, "kept.json")) ?? "{}");
    const names = Object.keys(info.files);
    const total = names.reduce((sum, name) => sum + info.files[name].size, 0);
    let loaded = 0;
    const advance = (file) => (bytes) => onProgress({ file, loaded: (loaded += bytes), total });
    for (const name of names) {
      const want = info.files[name];
      if (kept[name] === want.sha256) {
        advance(name)(want.size);
        continue;
      }
      delete kept[name];
      await writeFile(folder, "kept.json", [new TextEncoder().encode(JSON.stringify(kept))]);
      await download(base, folder, name, want, core, signal, advance(name));
      kept[name] = want.sha256;
      await writeFile(folder, "kept.json", [new TextEncoder().encode(JSON.stringify(kept))]);
    }
    await writeFile(folder, INFO, [new TextEncoder().encode(text)]);
    const files = new Map();
    for (const name of [...names, INFO]) files.set(name, await (await folder.getFileHandle(name)).getFile());
    return files;
  });
}

/** Forgets what is kept of a package, so that the next load() fetches it anew. */
export async function forget(base) {
  const folder = await folderOf(base);
  for await (const name of folder.keys()) await folder.removeEntry(name);
}

/** A File of OPFS as the core reads it, in a worker. */
export function readable(file) {
  const reader = new FileReaderSync();
  return {
    size: file.size,
    read: (offset, target) => {
      const piece = new Uint8Array(reader.readAsArrayBuffer(file.slice(offset, offset + target.length)));
      target.set(piece);
      return piece.length;
    },
  };
}
