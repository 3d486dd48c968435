// Builds the page into one file, dist/page.html, and its policy, dist/policy.txt: the program embeds both.
// The policy names the hashes of the one script and the one style, so nothing else can run.
import { createHash } from "node:crypto";
import { defineConfig, type Plugin } from "vite";

const sha256 = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

function policyFor(script: string, style: string): string {
  return [
    "default-src 'none'",
    `script-src ${sha256(script)}`,
    `style-src ${sha256(style)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types dompurify",
  ].join("; ");
}

function oneFile(): Plugin {
  return {
    name: "quire-one-file",
    enforce: "post",
    generateBundle(_options, bundle) {
      let script = "";
      let style = "";
      let html = "";
      for (const [name, part] of Object.entries(bundle)) {
        if (part.type === "chunk") script += part.code;
        else if (name.endsWith(".css")) style += part.source;
        else if (name.endsWith(".html")) html = String(part.source);
        else throw new Error(`${name} does not fit into one file`);
        delete bundle[name];
      }
      // Inside an element <script> these two would end it or change how it is read.
      script = script.trim().replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
      style = style.trim();
      const head = html
        .replace(/<script type="module"[^>]*><\/script>\s*/, "")
        .replace(/<link rel="stylesheet"[^>]*>\s*/, "")
        .replace(/\n\s+/g, "\n");
      // Functions: in a text a replacement's $ would mean something.
      const page = head
        .replace("</head>", () => `<style>${style}</style>\n</head>`)
        .replace("</body>", () => `<script type="module">${script}</script>\n</body>`);
      this.emitFile({ type: "asset", fileName: "page.html", source: page });
      this.emitFile({ type: "asset", fileName: "policy.txt", source: policyFor(script, style) });
    },
  };
}

export default defineConfig({
  base: "/",
  // The server a developer runs beside `npx vite`: the page reloads as it is edited.
  server: { proxy: { "^/(v1|debug|version|health)": "http://127.0.0.1:8080" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
  },
  plugins: [oneFile()],
});
