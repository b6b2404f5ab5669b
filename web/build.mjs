// node web/build.mjs
// Makes viewcast.min.js of viewcast.js: what the gateway serves, and what to copy into a page without a bundler.
// It is in the repository because the gateway, built by cargo alone, embeds it; web/package.test.js asserts that it is
// what this makes. Needs tests/browser/node_modules (`make prepare`).
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const NOTICE = "/*! viewcast, MIT OR Apache-2.0; made of web/viewcast.js, which has the comments */";
const inTests = createRequire(new URL("../tests/browser/node_modules/vite/package.json", import.meta.url));
const { rolldown } = await import(pathToFileURL(inTests.resolve("rolldown")));

export async function minified() {
  const bundle = await rolldown({ input: fileURLToPath(new URL("viewcast.js", import.meta.url)), external: /^\.\/viewcast\./ });
  const { output: [{ code }] } = await bundle.generate({ minify: true });
  await bundle.close();
  return `${NOTICE}\n${code.trim()}\n`;
}

export const BUILT = new URL("viewcast.min.js", import.meta.url);

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(BUILT, await minified());
