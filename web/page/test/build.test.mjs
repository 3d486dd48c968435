// The page in web/page/dist, which the program embeds, is what its locked sources make.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { build } from "vite";
import { pageFolder } from "./support.mjs";

test("the committed page is what its sources make, byte for byte", async () => {
  const outDir = mkdtempSync(path.join(os.tmpdir(), "quire-page-"));
  await build({ root: pageFolder, configFile: path.join(pageFolder, "vite.config.ts"), logLevel: "error", build: { outDir, emptyOutDir: true } });
  for (const name of ["page.html", "policy.txt"]) {
    const [committed, built] = [path.join(pageFolder, "dist", name), path.join(outDir, name)].map((file) => readFileSync(file, "utf8"));
    assert.ok(committed === built, `web/page/dist/${name} is old; run npm run build in web/page and commit it`);
  }
});
