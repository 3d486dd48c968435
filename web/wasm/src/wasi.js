// The part of WASI (preview 1) that the core calls, over a tree of read-only files.
//
// `files` maps absolute paths to {size, read(offset, target: Uint8Array) -> bytes read}. Everything is
// synchronous: the core reads a package while it opens it, in a worker.

const OK = 0, BADF = 8, INVAL = 28, NOENT = 44, NOSYS = 52, NOTDIR = 54;
const DIRECTORY = 3, REGULAR = 4;
const ROOT_FD = 3;

export function makeWasi(files, { log = (text) => console.error(text) } = {}) {
  let memory;
  const view = () => new DataView(memory.buffer);
  const bytes = (at, size) => new Uint8Array(memory.buffer, at, size);
  const text = (at, size) => new TextDecoder().decode(bytes(at, size).slice());
  const open = new Map([[ROOT_FD, { path: "", directory: true }]]);
  let nextFd = ROOT_FD + 1;
  let line = "";

  const isDirectory = (path) => path === "" || [...files.keys()].some((name) => name.startsWith(path + "/"));
  const resolve = (at, size) => {
    const parts = [];
    for (const part of text(at, size).split("/")) {
      if (part === "..") parts.pop();
      else if (part !== "" && part !== ".") parts.push(part);
    }
    return parts.map((part) => "/" + part).join("");
  };
  const writeStat = (at, path) => {
    const file = files.get(path);
    bytes(at, 64).fill(0);
    view().setUint8(at + 16, file ? REGULAR : DIRECTORY);
    view().setBigUint64(at + 24, 1n, true);
    view().setBigUint64(at + 32, BigInt(file ? file.size : 0), true);
  };
  const eachVector = (vectors, count, body) => {
    let total = 0;
    for (let i = 0; i < count; ++i) {
      const at = view().getUint32(vectors + 8 * i, true);
      const size = view().getUint32(vectors + 8 * i + 4, true);
      const done = body(at, size);
      total += done;
      if (done < size) break;
    }
    return total;
  };

  const functions = {
    environ_sizes_get: (count, size) => (view().setUint32(count, 0, true), view().setUint32(size, 0, true), OK),
    environ_get: () => OK,
    clock_time_get: (clock, _precision, at) => {
      const ms = clock === 0 ? Date.now() : performance.now();
      view().setBigUint64(at, BigInt(Math.round(ms * 1e6)), true);
      return OK;
    },
    random_get: (at, size) => {
      // Not into a shared memory directly: browsers refuse that.
      for (let done = 0; done < size; done += 65536) {
        const piece = crypto.getRandomValues(new Uint8Array(Math.min(65536, size - done)));
        bytes(at + done, piece.length).set(piece);
      }
      return OK;
    },
    sched_yield: () => OK,
    proc_exit: (code) => {
      throw new Error(`the core ended with code ${code}${line ? ": " + line : ""}`);
    },
    fd_prestat_get: (fd, at) => {
      if (fd !== ROOT_FD) return BADF;
      view().setUint32(at, 0, true);
      view().setUint32(at + 4, 1, true);
      return OK;
    },
    fd_prestat_dir_name: (_fd, at) => (view().setUint8(at, 47), OK),
    fd_fdstat_get: (fd, at) => {
      const entry = open.get(fd);
      if (!entry && fd > 2) return BADF;
      bytes(at, 24).fill(0);
      view().setUint8(at, !entry ? 2 : entry.directory ? DIRECTORY : REGULAR);
      view().setBigUint64(at + 8, 0x1fffffffn, true);
      view().setBigUint64(at + 16, 0x1fffffffn, true);
      return OK;
    },
    fd_fdstat_set_flags: () => OK,
    path_open: (_fd, _lookup, at, size, _flags, _base, _inheriting, _fdflags, result) => {
      const path = resolve(at, size);
      const file = files.get(path);
      if (!file && !isDirectory(path)) return NOENT;
      open.set(nextFd, { path, file, directory: !file, at: 0 });
      view().setUint32(result, nextFd++, true);
      return OK;
    },
    fd_close: (fd) => (open.delete(fd) ? OK : BADF),
    fd_read: (fd, vectors, count, result) => {
      const entry = open.get(fd);
      if (!entry?.file) return BADF;
      const total = eachVector(vectors, count, (at, size) => {
        const done = entry.file.read(entry.at, bytes(at, Math.min(size, entry.file.size - entry.at)));
        entry.at += done;
        return done;
      });
      view().setUint32(result, total, true);
      return OK;
    },
    fd_seek: (fd, offset, whence, result) => {
      const entry = open.get(fd);
      if (!entry?.file) return BADF;
      const base = whence === 0 ? 0 : whence === 1 ? entry.at : entry.file.size;
      const at = base + Number(offset);
      if (at < 0) return INVAL;
      entry.at = at;
      view().setBigUint64(result, BigInt(at), true);
      return OK;
    },
    fd_write: (_fd, vectors, count, result) => {
      const total = eachVector(vectors, count, (at, size) => {
        line += text(at, size);
        return size;
      });
      const lines = line.split("\n");
      if (lines.length > 1) lines.slice(0, -1).forEach((each) => log(each));
      line = lines.at(-1) || lines.at(-2) || "";
      view().setUint32(result, total, true);
      return OK;
    },
    fd_filestat_get: (fd, at) => {
      const entry = open.get(fd);
      return entry ? (writeStat(at, entry.path), OK) : BADF;
    },
    path_filestat_get: (_fd, _flags, at, size, result) => {
      const path = resolve(at, size);
      if (!files.has(path) && !isDirectory(path)) return NOENT;
      writeStat(result, path);
      return OK;
    },
    fd_readdir: (fd, at, size, cookie, result) => {
      const entry = open.get(fd);
      if (!entry?.directory) return NOTDIR;
      const names = new Map();
      for (const path of files.keys()) {
        if (!path.startsWith(entry.path + "/")) continue;
        const [name, ...rest] = path.slice(entry.path.length + 1).split("/");
        names.set(name, rest.length > 0 ? DIRECTORY : REGULAR);
      }
      let used = 0;
      [...names].slice(Number(cookie)).every(([name, type], i) => {
        const encoded = new TextEncoder().encode(name);
        const record = new Uint8Array(24 + encoded.length);
        const fields = new DataView(record.buffer);
        fields.setBigUint64(0, cookie + BigInt(i + 1), true);
        fields.setUint32(16, encoded.length, true);
        fields.setUint8(20, type);
        record.set(encoded, 24);
        const part = record.subarray(0, size - used);
        bytes(at + used, part.length).set(part);
        used += part.length;
        return used < size;
      });
      view().setUint32(result, used, true);
      return OK;
    },
  };
  // What is not here the core does not need.
  const imports = new Proxy(functions, { get: (target, name) => target[name] ?? (() => NOSYS) });
  return { imports, setMemory: (value) => (memory = value) };
}
