// A server under test, stopped by the test that started it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const defaultModel = path.join(root, "models/smollm2-135m-instruct");
const binary = process.env.QUIRE_BINARY ?? path.join(root, "build/release/quire");

export async function serve(folder) {
  assert.ok(existsSync(binary), `${binary} is not built; run scripts/build.sh release quire`);
  const child = spawn(binary, ["serve", "-m", folder, "--port", "0"], { stdio: ["ignore", "ignore", "pipe"] });
  const lines = createInterface({ input: child.stderr });
  const [line] = await once(lines, "line");
  const url = /^listening on (\S+)$/.exec(line)?.[1];
  assert.ok(url, line);
  lines.on("line", () => undefined);
  const gauge = async (name) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(new RegExp(`^${name}\\{.*\\} (.*)$`, "m").exec(text)?.[1]);
  };
  return {
    url,
    gauge,
    async stop() {
      child.kill("SIGTERM");
      const [code] = await once(child, "exit");
      assert.equal(code, 0);
    },
  };
}
