// A package's folder as the core reads it, in Node.
import fs from "node:fs";
import path from "node:path";

export function packageFiles(folder) {
  const files = new Map();
  for (const name of fs.readdirSync(folder)) {
    const file = fs.openSync(path.join(folder, name));
    files.set("/package/" + name, {
      size: fs.fstatSync(file).size,
      read: (offset, target) => fs.readSync(file, target, 0, target.length, offset),
    });
  }
  return files;
}
